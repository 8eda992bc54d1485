use greylag::prelude::*;

#[fast_http_user(weight = 3)]
struct WebsiteUser {
    basket: Vec<u64>,
}

fn main() {}
