use greylag::prelude::*;

trait Shopping {
    fn buy(&self);
}

struct WebsiteUser;

#[http_user]
impl Shopping for WebsiteUser {
    fn buy(&self) {}
}

fn main() {}
