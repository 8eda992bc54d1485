use greylag::prelude::*;

struct WebsiteUser;

#[derive(Default)]
struct Browsing;

#[sequential_task_set(user = WebsiteUser)]
impl Browsing {
    fn next(&self) {}
}

fn main() {}
