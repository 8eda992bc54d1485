//! Port of naming.py.

use greylag::prelude::*;

use crate::transport::host;

const PATHS: [&str; 10] = [
    "path",
    "path?x=1&y=2",
    "path?",
    "with space",
    "with%20escape",
    "ümlaut?q=ü",
    "tilde~star*plus+",
    "a/../dots/./x",
    "double//slash",
    "fragment#part",
];

async fn name_all(client: &mut Client, name: &str) -> TaskResult {
    for path in PATHS {
        client.get(format!("/{name}/{path}")).send().await?;
    }
    let host = host(client);
    client
        .get(format!("{host}/{name}/whole?q=1"))
        .send()
        .await?;
    client
        .get(format!("/{name}/named/7"))
        .name(format!("/{name}/named/[id]"))
        .send()
        .await?;
    {
        let mut client = client.renamed(&format!("/{name}/renamed"));
        client.get(format!("/{name}/block/1")).send().await?;
        client.post(format!("/{name}/block/2")).send().await?;
        client
            .get(format!("/{name}/block/3"))
            .name(format!("/{name}/own name wins"))
            .send()
            .await?;
    }
    client.set_request_name(Some(&format!("/{name}/from now on")));
    client.get(format!("/{name}/later/1")).send().await?;
    client.set_request_name(None);
    client.get(format!("/{name}/after")).send().await?;
    stop_user()
}

#[derive(Default)]
pub(super) struct NamingHttp;

#[http_user]
impl NamingHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        name_all(client, "NamingHttp").await
    }
}

#[derive(Default)]
pub(super) struct NamingFast;

#[fast_http_user]
impl NamingFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        name_all(client, "NamingFast").await
    }
}
