use greylag::prelude::*;

struct WebsiteUser;

#[derive(Default)]
struct Browsing;

#[markov_task_set(user = WebsiteUser, tags("api"))]
impl Browsing {
    #[task]
    #[transitions(entrance)]
    async fn entrance(&mut self, _: &mut WebsiteUser, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}
