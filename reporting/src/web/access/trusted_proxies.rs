//! Which address a request comes from when proxies stand in front: what `X-Forwarded-For` says, as far as it was said by
//! proxies that were named.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Most characters of a wrong value that are repeated in a message.
const SHOWN_CHARACTERS: usize = 60;

/// The addresses of proxies whose word is taken for where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Why a text does not name trusted proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustedProxyError {
    /// It is neither an address nor a network.
    #[error(
        "`{0}` is not a valid address of a proxy; use an IP address or a network, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8"
    )]
    Form(String),
    /// It is every address.
    #[error(
        "`{0}` trusts every address, so anyone could claim to be someone else; name the addresses of your proxies"
    )]
    Everyone(String),
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, TrustedProxyError> {
        let text = text.trim();
        let shown = || text.chars().take(SHOWN_CHARACTERS).collect();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text
                .parse::<IpNet>()
                .map_err(|_| TrustedProxyError::Form(shown()))?,
        };
        if network.prefix_len() == 0 {
            return Err(TrustedProxyError::Everyone(shown()));
        }
        Ok(Self(network))
    }
}

/// All proxies that were named; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<TrustedProxy>);

impl TrustedProxies {
    /// These.
    pub fn new(proxies: Vec<TrustedProxy>) -> Self {
        Self(proxies)
    }

    /// The address that a request comes from, which came over a connection from this one. Each proxy appends the
    /// address that it was asked from, so the list is read from its end, and only as far as the proxies are trusted that wrote it:
    /// what stands before that is whatever the client sent. An entry that is not an address counts as not written.
    pub(in crate::web) fn client(&self, connection: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = connection.to_canonical();
        if !self.trust(address) {
            return address;
        }
        let lines = headers.get_all(X_FORWARDED_FOR).into_iter().rev();
        for entry in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            let Some(before) = address_of(entry) else {
                break;
            };
            address = before;
            if !self.trust(address) {
                break;
            }
        }
        address
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|TrustedProxy(network)| network.contains(&address))
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`: some proxies add the port.
fn address_of(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<std::net::SocketAddr>().ok()?.ip());
    let address: IpAddr = text.parse().ok().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn proxies(named: &[&str]) -> TrustedProxies {
        TrustedProxies::new(named.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn client(named: &[&str], connection: &str, lines: &[&str]) -> String {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let connection = connection.parse().unwrap();
        proxies(named)
            .client(connection, &headers(&lines))
            .to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let named = [PROXY, "10.1.0.0/16", "fd00::/8"];
        for (connection, lines, expected) in [
            (PROXY, &[][..], PROXY),
            (PROXY, &["192.0.2.7"], "192.0.2.7"),
            (PROXY, &["1.1.1.1, 192.0.2.7"], "192.0.2.7"),
            (PROXY, &["1.1.1.1", "192.0.2.7"], "192.0.2.7"),
            (PROXY, &["1.1.1.1, 192.0.2.7 ,10.1.2.3"], "192.0.2.7"),
            (PROXY, &["192.0.2.7", "10.1.2.3", "fd00::5"], "192.0.2.7"),
            (PROXY, &["10.1.2.3,10.0.0.1"], "10.1.2.3"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            (PROXY, &["192.0.2.7:50123"], "192.0.2.7"),
            (PROXY, &["[2001:db8::7]:50123"], "2001:db8::7"),
            (PROXY, &["[2001:db8::7]"], "2001:db8::7"),
            // Whoever is not a proxy says of themselves what they like.
            ("10.0.0.2", &["192.0.2.7"], "10.0.0.2"),
            ("192.0.2.9", &["10.0.0.1"], "192.0.2.9"),
        ] {
            let found = client(&named, connection, lines);
            assert_eq!(found, expected, "{connection} {lines:?}");
        }
        assert_eq!(client(&[], "127.0.0.1", &["192.0.2.7"]), "127.0.0.1");
    }

    #[test]
    fn what_is_no_address_is_the_proxys_own() {
        for wrong in [
            "",
            "unknown",
            "192.0.2",
            "_hidden",
            "a, ,",
            "1.2.3.4.5",
            "[::1",
            "for=1.2.3.4",
        ] {
            assert_eq!(client(&[PROXY], PROXY, &[wrong]), PROXY, "{wrong}");
            let behind = format!("192.0.2.7, {wrong}, 10.0.0.1");
            assert_eq!(client(&[PROXY], PROXY, &[&behind]), PROXY, "{wrong}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        for text in [
            "127.0.0.1",
            " 10.0.0.0/8",
            "10.1.2.3/8",
            "::1",
            "fd00::/8",
            "::ffff:10.0.0.1",
        ] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        for text in [
            "",
            "proxy.example",
            "10.0.0.0/33",
            "10.0.0/8",
            "127.0.0.1:80",
            "*",
        ] {
            let error = text.parse::<TrustedProxy>().unwrap_err();
            assert!(matches!(error, TrustedProxyError::Form(_)), "{text}");
        }
        for text in ["0.0.0.0/0", "::/0"] {
            let error = text.parse::<TrustedProxy>().unwrap_err();
            assert!(matches!(error, TrustedProxyError::Everyone(_)), "{text}");
        }
    }

    fn entry() -> impl Strategy<Value = Vec<u8>> {
        let printable = proptest::collection::vec(0x20..0x7f_u8, 0..12);
        let address = (0..4_u8, any::<u8>())
            .prop_map(|(net, last)| format!("10.{net}.0.{last}").into_bytes());
        let high = proptest::collection::vec(0x80..=0xff_u8, 0..4);
        prop_oneof![address, printable, high]
    }

    proptest! {
        /// A client cannot get any other address by what it sends before the proxies' own entries.
        #[test]
        fn what_a_client_sends_changes_nothing(sent in proptest::collection::vec(entry(), 0..8), hops in 0..4_u8) {
            let trusted = proxies(&[PROXY, "172.16.0.0/12"]);
            let mut entries = sent;
            entries.push(b"192.0.2.7".to_vec());
            entries.extend((0..hops).map(|hop| format!("172.16.0.{hop}").into_bytes()));
            let all = entries.join(&b", "[..]);
            let found = trusted.client(PROXY.parse().unwrap(), &headers(&[&all]));
            prop_assert_eq!(found, "192.0.2.7".parse::<IpAddr>().unwrap());
            // The same in lines of their own.
            let lines: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
            let found = trusted.client(PROXY.parse().unwrap(), &headers(&lines));
            prop_assert_eq!(found, "192.0.2.7".parse::<IpAddr>().unwrap());
            // And without a proxy.
            let direct = trusted.client("192.0.2.9".parse().unwrap(), &headers(&lines));
            prop_assert_eq!(direct, "192.0.2.9".parse::<IpAddr>().unwrap());
        }
    }
}
