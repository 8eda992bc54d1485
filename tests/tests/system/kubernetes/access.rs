//! Ways to a cluster that a kubeconfig may name: its own authority, a proxy, and where credentials come from.

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greylag_tests::{ConnectProxy, KubernetesStandIn};
use serde_json::json;

use super::{Asked, coordinator};
use crate::support::greylag;

/// Year 2100, in seconds since 1970.
const LATE: u64 = 4_102_444_800;

/// What is asked of a cluster whose kubeconfig is read now.
async fn ask(cluster: &KubernetesStandIn) -> Result<(), String> {
    let data = coordinator();
    let asked = Asked::new(cluster, &data, "r", 1);
    asked.request().await?;
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty());
    Ok(())
}

#[tokio::test]
async fn the_servers_certificate_is_checked_with_the_kubeconfigs_authority() {
    let cluster = KubernetesStandIn::start_encrypted(&greylag()).await;
    ask(&cluster).await.expect("it is the cluster's");
    cluster.trust_another_authority();
    let refused = ask(&cluster).await.expect_err("it is not");
    assert!(
        refused.starts_with("final false: cannot create Job greylag-r in namespace load-tests: ")
            && refused.contains("invalid peer certificate"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_is_gone_through() {
    let proxy = ConnectProxy::start().await;
    for cluster in [
        KubernetesStandIn::start(&greylag()).await,
        KubernetesStandIn::start_encrypted(&greylag()).await,
    ] {
        let before = proxy.tunnels();
        ask(&cluster).await.expect("straight");
        assert_eq!(proxy.tunnels(), before);
        cluster.reach_through(&proxy.url());
        ask(&cluster).await.expect("through the proxy");
        assert!(proxy.tunnels() > before);
    }
    let cluster = KubernetesStandIn::start(&greylag()).await;
    cluster.reach_through("socks5://127.0.0.1:1");
    let refused = ask(&cluster).await.expect_err("not compiled in");
    assert!(
        refused.starts_with("final true: no way to the Kubernetes API: ")
            && refused.contains("socks5"),
        "{refused}"
    );
}

/// As the plugins of clouds: the program is run again when its token is not accepted any more.
#[tokio::test]
async fn a_program_of_the_kubeconfig_gives_the_token() {
    let cluster = KubernetesStandIn::start_encrypted(&greylag()).await;
    let (plugin, token) = (
        cluster.directory().join("plugin"),
        cluster.directory().join("token"),
    );
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": { "token": "TOKEN" },
    });
    let script = format!(
        "#!/bin/sh\nset -e\ntoken=$(cat {token:?})\necho '{credential}' | sed \"s/TOKEN/$token/\"\n"
    );
    std::fs::write(&plugin, script).expect("the directory is ours");
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let user = format!(
        "exec: {{ apiVersion: client.authentication.k8s.io/v1, command: {plugin:?}, interactiveMode: Never }}"
    );
    cluster.accept("from-the-plugin", &user);
    let refused = ask(&cluster).await.expect_err("it fails");
    assert!(
        refused.starts_with("final true: no way to the Kubernetes API: ")
            && refused.contains("plugin"),
        "{refused}"
    );
    std::fs::write(&token, "from-the-plugin").expect("the directory is ours");
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    asked.request().await.expect("it gives the token");
    cluster.accept("another", &user);
    std::fs::write(&token, "another").expect("the directory is ours");
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty());
}

#[tokio::test]
async fn an_openid_token_of_the_kubeconfig_is_shown() {
    let cluster = KubernetesStandIn::start_encrypted(&greylag()).await;
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (header, claims) = (json!({ "alg": "none" }), json!({ "exp": LATE }));
    let token = format!("{}.{}.c2lnbmVk", part(header), part(claims));
    let user = format!("auth-provider: {{ name: oidc, config: {{ id-token: {token} }} }}");
    cluster.accept(&token, &user);
    ask(&cluster).await.expect("the token is good");
}
