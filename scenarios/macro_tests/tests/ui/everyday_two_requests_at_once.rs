use greylag::prelude::*;

fn futures<A, B>(_: A, _: B) -> (A, B) {
    unreachable!()
}

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let _both = futures(client.get("/style.css").send(), client.get("/shop.js").send());
        Ok(())
    }
}

fn main() {}
