use greylag::prelude::*;

struct WebsiteUser;
struct Browsing;

impl WebsiteUser {
    #[task(weight = 3)]
    type Browse = Browsing;
}

fn main() {}
