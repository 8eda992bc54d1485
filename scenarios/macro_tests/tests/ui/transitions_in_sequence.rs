use greylag::prelude::*;

struct WebsiteUser;

#[derive(Default)]
struct Browsing;

#[sequential_task_set(user = WebsiteUser)]
impl Browsing {
    #[task]
    #[transitions(look)]
    async fn look(&mut self, _: &mut WebsiteUser, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}
