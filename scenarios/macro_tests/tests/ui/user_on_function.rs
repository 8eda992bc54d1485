use greylag::prelude::*;

#[http_user]
async fn homepage(_: &mut Client) -> TaskResult {
    Ok(())
}

fn main() {}
