//! RFC 6265 once more, word by word from its steps and without a thought for speed: what the jar is compared with.
//!
//! It differs from the text of the RFC where browsers follow its revision, RFC 6265bis: control characters (5.6, step
//! 1), cookies without a name (5.6, steps 3 to 5), sizes (5.6, steps 6 and 7.6), `Max-Age` of a lone `-` (5.6.2), host-only cookies beside
//! others (5.7, step 23). Domains without a dot count as public suffixes (5.3, step 5).

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    expiry_time: i64,
    domain: Vec<u8>,
    path: Vec<u8>,
    creation_time: u64,
    persistent_flag: bool,
    host_only_flag: bool,
    secure_only_flag: bool,
}

/// A user agent with its cookie store.
#[derive(Debug, Default)]
pub(super) struct UserAgent {
    store: Vec<Cookie>,
    /// Counts what happened: a clock that never stands still.
    ticks: u64,
}

pub(super) struct Request<'r> {
    pub(super) host: &'r [u8],
    pub(super) host_is_ip: bool,
    pub(super) uri_path: &'r [u8],
    pub(super) is_secure: bool,
}

impl UserAgent {
    /// 5.2 and 5.3.
    pub(super) fn receive(&mut self, set_cookie_string: &[u8], request: &Request<'_>, now: i64) {
        self.ticks += 1;
        self.evict_expired(now);
        for &octet in set_cookie_string {
            if octet <= 0x08 || (0x0A..=0x1F).contains(&octet) || octet == 0x7F {
                return;
            }
        }
        // 5.2
        let (name_value_pair, mut unparsed_attributes) = cut(set_cookie_string, b';');
        let (name_string, value_string) = match name_value_pair.contains(&b'=') {
            true => {
                let (name, rest) = cut(&name_value_pair, b'=');
                (name, rest[1..].to_vec())
            }
            false => (Vec::new(), name_value_pair.clone()),
        };
        let (name, value) = (strip_wsp(&name_string), strip_wsp(&value_string));
        if name.is_empty() && (value.is_empty() || value.contains(&b'='))
            || name.len() + value.len() > 4096
        {
            return;
        }
        let mut cookie_attribute_list: Vec<(&str, Vec<u8>)> = Vec::new();
        let mut expiry_of: Vec<(&str, i64)> = Vec::new();
        while !unparsed_attributes.is_empty() {
            unparsed_attributes.remove(0);
            let (cookie_av, rest) = cut(&unparsed_attributes, b';');
            unparsed_attributes = rest;
            let (attribute_name, rest) = cut(&cookie_av, b'=');
            let attribute_value = strip_wsp(rest.get(1..).unwrap_or_default());
            if attribute_value.len() > 1024 {
                continue;
            }
            match strip_wsp(&attribute_name).to_ascii_lowercase().as_slice() {
                // 5.2.1
                b"expires" => {
                    if let Some(time) = parse_cookie_date(&attribute_value) {
                        expiry_of.push(("Expires", time));
                    }
                }
                // 5.2.2
                b"max-age" => {
                    let text = String::from_utf8_lossy(&attribute_value).into_owned();
                    let digits = text.strip_prefix('-').unwrap_or(&text);
                    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                        continue;
                    }
                    let delta_seconds = if text.starts_with('-') {
                        -1
                    } else {
                        digits.parse::<u128>().unwrap_or(u128::MAX).min(1 << 62) as i64
                    };
                    let time = match delta_seconds {
                        ..=0 => i64::MIN,
                        seconds => now.saturating_add(seconds.saturating_mul(1000)),
                    };
                    expiry_of.push(("Max-Age", time));
                }
                // 5.2.3
                b"domain" => {
                    let mut cookie_domain = attribute_value.to_ascii_lowercase();
                    if cookie_domain.first() == Some(&b'.') {
                        cookie_domain.remove(0);
                    }
                    cookie_attribute_list.push(("Domain", cookie_domain));
                }
                // 5.2.4
                b"path" => {
                    let is_path = attribute_value.first() == Some(&b'/');
                    let cookie_path = if is_path {
                        attribute_value
                    } else {
                        default_path(request.uri_path)
                    };
                    cookie_attribute_list.push(("Path", cookie_path));
                }
                // 5.2.5
                b"secure" => cookie_attribute_list.push(("Secure", Vec::new())),
                _ => {}
            }
        }
        // 5.3
        let last = |wanted: &str| {
            let mut list = cookie_attribute_list.iter().rev();
            list.find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.clone())
        };
        let last_time = |wanted: &str| {
            expiry_of
                .iter()
                .rev()
                .find(|(name, _)| *name == wanted)
                .map(|(_, time)| *time)
        };
        let (persistent_flag, expiry_time) = match (last_time("Max-Age"), last_time("Expires")) {
            (Some(time), _) | (None, Some(time)) => (true, time),
            (None, None) => (false, i64::MAX),
        };
        let mut domain_attribute = last("Domain").unwrap_or_default();
        let is_public_suffix = !domain_attribute.contains(&b'.');
        if !domain_attribute.is_empty() && is_public_suffix {
            if domain_attribute != request.host {
                return;
            }
            domain_attribute = Vec::new();
        }
        if domain_attribute == request.host && request.host_is_ip {
            // A host that is an address is the same with and without the flag.
            domain_attribute = Vec::new();
        }
        let (host_only_flag, domain) = if domain_attribute.is_empty() {
            (true, request.host.to_vec())
        } else if domain_match(request.host, &domain_attribute, request.host_is_ip) {
            (false, domain_attribute)
        } else {
            return;
        };
        let mut cookie = Cookie {
            name,
            value,
            expiry_time,
            domain,
            path: last("Path").unwrap_or_else(|| default_path(request.uri_path)),
            creation_time: self.ticks,
            persistent_flag,
            host_only_flag,
            secure_only_flag: last("Secure").is_some(),
        };
        let old = self.store.iter().position(|old| {
            old.name == cookie.name
                && old.domain == cookie.domain
                && old.path == cookie.path
                && old.host_only_flag == cookie.host_only_flag
        });
        if let Some(old) = old {
            cookie.creation_time = self.store[old].creation_time;
            self.store.remove(old);
        }
        self.store.push(cookie);
        self.evict_expired(now);
    }

    fn evict_expired(&mut self, now: i64) {
        self.store
            .retain(|cookie| !cookie.persistent_flag || cookie.expiry_time > now);
    }

    /// 5.4
    pub(super) fn cookie_string(&mut self, request: &Request<'_>, now: i64) -> Option<Vec<u8>> {
        self.evict_expired(now);
        let mut cookie_list: Vec<&Cookie> = Vec::new();
        for cookie in &self.store {
            let domain_fits = if cookie.host_only_flag {
                cookie.domain == request.host
            } else {
                domain_match(request.host, &cookie.domain, request.host_is_ip)
            };
            let path_fits = path_match(request.uri_path, &cookie.path);
            if domain_fits && path_fits && (!cookie.secure_only_flag || request.is_secure) {
                cookie_list.push(cookie);
            }
        }
        cookie_list.sort_by(|a, b| {
            let longer = b.path.len().cmp(&a.path.len());
            longer.then(a.creation_time.cmp(&b.creation_time))
        });
        let mut cookie_string = Vec::new();
        for (index, cookie) in cookie_list.iter().enumerate() {
            if index > 0 {
                cookie_string.extend(b"; ");
            }
            if !cookie.name.is_empty() {
                cookie_string.extend(&cookie.name);
                cookie_string.push(b'=');
            }
            cookie_string.extend(&cookie.value);
        }
        (!cookie_list.is_empty()).then_some(cookie_string)
    }
}

/// What is before the first of these octets, and the rest from it on.
fn cut(text: &[u8], at: u8) -> (Vec<u8>, Vec<u8>) {
    let mut before = Vec::new();
    let mut rest = text.to_vec();
    while !rest.is_empty() && rest[0] != at {
        before.push(rest.remove(0));
    }
    (before, rest)
}

fn strip_wsp(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    while matches!(text.first(), Some(0x20 | 0x09)) {
        text.remove(0);
    }
    while matches!(text.last(), Some(0x20 | 0x09)) {
        text.pop();
    }
    text
}

/// 5.1.1
fn parse_cookie_date(text: &[u8]) -> Option<i64> {
    let delimiters: Vec<u8> = [0x09]
        .into_iter()
        .chain(0x20..=0x2F)
        .chain(0x3B..=0x40)
        .chain(0x5B..=0x60)
        .chain(0x7B..=0x7E)
        .collect();
    let mut date_tokens: Vec<String> = vec![String::new()];
    for octet in text {
        if delimiters.contains(octet) {
            date_tokens.push(String::new());
        } else {
            // Octets of 128 and above become letters that are not digits: all the grammar asks of them.
            date_tokens.last_mut()?.push(char::from(*octet));
        }
    }
    let (mut time, mut day_of_month, mut month, mut year) = (None, None, None, None);
    for token in date_tokens.iter().filter(|token| !token.is_empty()) {
        if time.is_none() && hms_time(token).is_some() {
            time = hms_time(token);
        } else if day_of_month.is_none() && leading_digits(token, 1..=2).is_some() {
            day_of_month = leading_digits(token, 1..=2);
        } else if month.is_none() && month_value(token).is_some() {
            month = month_value(token);
        } else if year.is_none() && leading_digits(token, 2..=4).is_some() {
            year = leading_digits(token, 2..=4);
        }
    }
    let (hour, minute, second) = time?;
    let (day_of_month, month, mut year) = (day_of_month?, month?, year?);
    if (70..=99).contains(&year) {
        year += 1900;
    }
    if (0..=69).contains(&year) {
        year += 2000;
    }
    if !(1..=31).contains(&day_of_month) || year < 1601 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_in = |year: i64, month: i64| match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    };
    if day_of_month > days_in(year, month) {
        return None;
    }
    // Counted on the fingers, from 1601.
    let mut days = 0;
    for year in 1601..year {
        days += if is_leap(year) { 366 } else { 365 };
    }
    for month in 1..month {
        days += days_in(year, month);
    }
    days += day_of_month - 1;
    let days_from_1601_to_1970 = 134_774;
    let seconds = (days - days_from_1601_to_1970) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1000)
}

/// The number of so many digits at the start, behind which there is no further digit.
fn leading_digits(token: &str, count: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let digits: String = token.chars().take_while(char::is_ascii_digit).collect();
    count.contains(&digits.len()).then(|| digits.parse().ok())?
}

fn hms_time(token: &str) -> Option<(i64, i64, i64)> {
    let fields: Vec<&str> = token.splitn(3, ':').collect();
    let [hour, minute, second] = fields[..] else {
        return None;
    };
    let whole = |field: &str| {
        let all_digits = field.chars().all(|c| c.is_ascii_digit());
        leading_digits(field, 1..=2).filter(|_| all_digits)
    };
    Some((whole(hour)?, whole(minute)?, leading_digits(second, 1..=2)?))
}

fn month_value(token: &str) -> Option<i64> {
    let start: String = token
        .chars()
        .take(3)
        .collect::<String>()
        .to_ascii_lowercase();
    let names = "jan feb mar apr may jun jul aug sep oct nov dec";
    let position = names.split(' ').position(|name| name == start)?;
    Some(position as i64 + 1)
}

/// 5.1.3
fn domain_match(string: &[u8], domain_string: &[u8], string_is_ip: bool) -> bool {
    if string == domain_string {
        return true;
    }
    string.ends_with(domain_string)
        && string[string.len() - domain_string.len() - 1] == b'.'
        && !string_is_ip
}

/// 5.1.4
fn default_path(uri_path: &[u8]) -> Vec<u8> {
    if uri_path.first() != Some(&b'/')
        || uri_path.iter().filter(|octet| **octet == b'/').count() == 1
    {
        return b"/".to_vec();
    }
    let mut path = uri_path.to_vec();
    while path.last() != Some(&b'/') {
        path.pop();
    }
    path.pop();
    path
}

/// 5.1.4
fn path_match(request_path: &[u8], cookie_path: &[u8]) -> bool {
    if request_path == cookie_path {
        return true;
    }
    request_path.starts_with(cookie_path)
        && (cookie_path.ends_with(b"/") || request_path[cookie_path.len()] == b'/')
}
