use greylag::prelude::*;

struct WebsiteUser;

#[derive(Default)]
struct Browsing;

#[task_set(user = WebsiteUser)]
impl Browsing {
    #[task]
    async fn look(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}
