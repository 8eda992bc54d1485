//! Where the server may listen: without a token on this machine only.

use std::net::SocketAddr;

use crate::token::Token;

/// The address is open to others and there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "listening on {0} would let anyone who reaches it start load from here; give a secret with --token (agents and the API then \
     need it too), or listen on 127.0.0.1"
)]
pub struct ListenRefused(SocketAddr);

/// Checks that a server may listen here.
///
/// # Errors
/// The address is not a loopback address and there is no token.
pub fn check_listen_address(
    address: SocketAddr,
    token: Option<&Token>,
) -> Result<(), ListenRefused> {
    if token.is_none() && !address.ip().to_canonical().is_loopback() {
        return Err(ListenRefused(address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_let_in_with_a_token_only() {
        let token = Token::new("secret").unwrap();
        for (address, open) in [
            ("127.0.0.1:0", true),
            ("127.0.0.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("192.168.1.2:80", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                check_listen_address(address, None).is_ok(),
                open,
                "{address}"
            );
            assert_eq!(check_listen_address(address, Some(&token)), Ok(()));
        }
        let sentence = ListenRefused("0.0.0.0:80".parse().unwrap()).to_string();
        assert!(sentence.contains("--token"), "{sentence}");
    }
}
