//! Where the server may listen: without a token on this machine only.

use std::net::SocketAddr;

use crate::tokens::Token;

/// Fewest characters of a token where others can guess: 8 random bytes in hexadecimal.
pub(super) const MIN_TOKEN_BYTES: usize = 16;

/// The address is open to others, and what keeps them out is missing or can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenRefused {
    /// There is no token.
    #[error(
        "listening on {0} would let anyone who can reach it start load from here; set a token with --token (agents and the API then \
         need it too; `openssl rand -hex 16` generates one), or listen on 127.0.0.1"
    )]
    NoToken(SocketAddr),
    /// The token is too short.
    #[error(
        "the token is too short to listen on {0}, where others can guess it; use at least {MIN_TOKEN_BYTES} characters (`openssl rand -hex 16` \
         generates one), or listen on 127.0.0.1"
    )]
    ShortToken(SocketAddr),
}

/// Checks that a server may listen here.
///
/// # Errors
/// The address is not a loopback address, and there is no token or a short one.
pub fn check_listen_address(
    address: SocketAddr,
    token: Option<&Token>,
) -> Result<(), ListenRefused> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let token = token.ok_or(ListenRefused::NoToken(address))?;
    if token.expose().len() < MIN_TOKEN_BYTES {
        return Err(ListenRefused::ShortToken(address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_let_in_with_a_token_only() {
        let token = Token::new("0123456789abcdef").unwrap();
        let short = Token::new("0123456789abcde").unwrap();
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
            assert_eq!(
                check_listen_address(address, Some(&short)).is_ok(),
                open,
                "{address}"
            );
        }
        let address = "0.0.0.0:80".parse().unwrap();
        let message = ListenRefused::NoToken(address).to_string();
        assert!(message.contains("--token"), "{message}");
        let message = ListenRefused::ShortToken(address).to_string();
        assert!(message.contains("openssl rand -hex 16"), "{message}");
    }
}
