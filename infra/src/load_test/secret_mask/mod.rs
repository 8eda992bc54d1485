//! Hides secrets in what is kept of a failed request and its response: rather too much than too little.

mod named;
#[cfg(test)]
mod tests;

use std::ops::Range;

use url::Url;
use url::form_urlencoded::byte_serialize;

use super::LoadTest;
use super::secrets::is_secret_header;
use crate::base::cut;

/// Stands in place of what is hidden.
const HIDDEN: &str = "(hidden)";
/// Shorter values of secrets are not looked for: they would hide half of every text.
const SHORTEST_SECRET_BYTES: usize = 4;
/// Shorter parts of a header's value, such as names of schemes, are not looked for by themselves.
const SHORTEST_PART_BYTES: usize = 8;
/// So many bytes of a value are looked for, so that one is also found where a text was cut.
const NEEDLE_BYTES: usize = 256;
/// What comes before credentials in a header, and where a header is repeated (RFC 9110, section 11).
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];
/// How a JSON Web Token begins: `{"` in Base64.
const WEB_TOKEN: &str = "eyJ";
/// Least bytes of a word after a scheme that is taken for credentials, and of a part of a JSON Web Token.
const SHORTEST_CREDENTIALS: usize = 6;

/// Knows the secrets of a load test, and how others look.
#[derive(Debug, Clone, Default)]
pub struct SecretMask {
    needles: Vec<Needle>,
}

/// A secret to look for.
#[derive(Clone)]
struct Needle {
    start: String,
    /// Of the whole value.
    bytes: usize,
}

/// Says nothing of the value.
impl std::fmt::Debug for Needle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Needle(…)")
    }
}

impl SecretMask {
    /// Of a load test: its host's and its proxy's password, values of headers that carry credentials, and these values of secret
    /// options.
    pub fn new(test: &LoadTest, options: impl IntoIterator<Item = String>) -> Self {
        let mut mask = Self::default();
        options.into_iter().for_each(|value| mask.add(&value));
        let proxy = test.client.proxy.as_ref().map(|proxy| proxy.expose());
        for url in [Some(test.host.as_str()), proxy].into_iter().flatten() {
            if let Some(password) = Url::parse(url).ok().and_then(|url| {
                let password = url.password()?;
                Some(password.to_owned())
            }) {
                mask.add(&decoded(&password));
                mask.add(&password);
            }
        }
        let requests = test.declared.iter().flat_map(|declared| &declared.requests);
        let headers = requests.flat_map(|request| &request.headers);
        for (name, value) in headers.chain(&test.client.headers) {
            if is_secret_header(name) {
                mask.add(value);
                let parts = value.split([' ', ';', ',', '=', '"']);
                parts
                    .filter(|part| part.len() >= SHORTEST_PART_BYTES)
                    .for_each(|part| mask.add(part));
            }
        }
        mask
    }

    /// Looks for a value from now on, also as it stands in a URL, in JSON and in HTML.
    fn add(&mut self, value: &str) {
        if value.len() < SHORTEST_SECRET_BYTES {
            return;
        }
        let json = serde_json::Value::from(value).to_string();
        let in_url: String = byte_serialize(value.as_bytes()).collect();
        let with_spaces = in_url.replace('+', "%20");
        let html = value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let in_json = &json[1..json.len() - 1];
        for form in [value, in_json, &in_url, &with_spaces, &html] {
            let needle = Needle {
                start: start_of(form, NEEDLE_BYTES).to_owned(),
                bytes: form.len(),
            };
            let is_known =
                |known: &Needle| known.start == needle.start && known.bytes >= needle.bytes;
            if !self.needles.iter().any(is_known) {
                self.needles.push(needle);
            }
        }
    }

    /// The value of a header without secrets, at most `limit` bytes of it.
    pub fn header(&self, name: &str, value: &str, limit: usize) -> String {
        if is_secret_header(name) || named::is_secret(name) {
            return HIDDEN.to_owned();
        }
        self.text(value, limit)
    }

    /// The first `limit` bytes of a text (a body, a URL, a header's value) without secrets. `text` may be longer, so that what is
    /// cut is known as a secret, too.
    pub fn text(&self, text: &str, limit: usize) -> String {
        let kept = start_of(text, limit).len();
        let mut shown = String::with_capacity(kept);
        let mut at = 0;
        for secret in self.secrets(text) {
            if secret.start >= kept {
                break;
            }
            if secret.start >= at {
                shown.push_str(&text[at..secret.start]);
                shown.push_str(HIDDEN);
            }
            at = at.max(secret.end);
        }
        if at < kept {
            shown.push_str(&text[at..kept]);
        }
        cut(&shown, limit).into_owned()
    }

    /// Where secrets are, in the order in which they begin. They may overlap, and none is empty.
    fn secrets(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for needle in &self.needles {
            for (start, _) in text.match_indices(&needle.start) {
                let mut end = text.len().min(start.saturating_add(needle.bytes));
                while !text.is_char_boundary(end) {
                    end += 1;
                }
                found.push(start..end);
            }
        }
        named::find(text, &mut found);
        credentials(text, &mut found);
        passwords_of_urls(text, &mut found);
        found.retain(|secret| !secret.is_empty());
        found.sort_by_key(|secret| (secret.start, secret.end));
        found
    }
}

/// What comes after the name of a scheme (`Bearer …`), and JSON Web Tokens wherever they are.
fn credentials(text: &str, found: &mut Vec<Range<usize>>) {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c);
    let word_at = |start: usize| {
        let rest = &text[start..];
        start..start + rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())
    };
    let mut at = 0;
    while let Some(skipped) = text[at..].find(is_of_word) {
        let word = word_at(at + skipped);
        at = word.end;
        let scheme = text[word.clone()].to_ascii_lowercase();
        let gap = text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len();
        // Of an encoded URL or form, too.
        let gap = match text[at..].get(..3) {
            Some("%20") => 3,
            _ => gap,
        };
        if gap > 0 && SCHEMES.iter().any(|known| scheme.ends_with(known)) {
            let after = word_at(at + gap);
            let credentials = &text[after.clone()];
            // A parameter of a challenge: `Bearer realm="…"`.
            let is_parameter = text[after.end..].starts_with('"');
            // Words of a language after `token` or `basic` say what is wrong.
            let is_encoded =
                credentials.ends_with('=') || credentials.contains(|c: char| c.is_ascii_digit());
            if credentials.len() >= SHORTEST_CREDENTIALS
                && !is_parameter
                && (is_encoded || scheme.ends_with("bearer"))
            {
                found.push(after);
            }
        }
        let text = &text[word.clone()];
        for (start, _) in text.match_indices(WEB_TOKEN) {
            let parts = text[start..].split('.');
            if parts
                .take_while(|part| part.len() >= SHORTEST_CREDENTIALS)
                .count()
                >= 2
            {
                found.push(word.start + start..word.end);
            }
        }
    }
}

/// Passwords in `https://user:password@example.com`.
fn passwords_of_urls(text: &str, found: &mut Vec<Range<usize>>) {
    for (start, mark) in text.match_indices("://") {
        let start = start + mark.len();
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>\\".contains(c));
        let authority = &rest[..end.unwrap_or(rest.len())];
        if let Some(at) = authority.rfind('@')
            && let Some(colon) = authority[..at].find(':')
        {
            found.push(start + colon + 1..start + at);
        }
    }
}

/// A password of a URL as it was before it was encoded.
fn decoded(password: &str) -> String {
    let pair = format!("p={}", password.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// At most so many bytes of a text, cut at a character.
fn start_of(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
