//! A user's cookies.

use cookie_store::RawCookie;

use super::Client;

impl Client {
    /// The value of the cookie that would be sent to the host's root under this name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .as_ref()?
            .get_request_values(self.shared.base.url())
            .find(|(cookie, _)| *cookie == name)
            .map(|(_, value)| value)
    }

    /// Names and values of all cookies of this user, whatever they are for.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies
            .iter()
            .flat_map(|store| store.iter_unexpired())
            .map(|cookie| cookie.name_value())
    }

    /// Sets a cookie for the host, as if it had sent it.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        let cookie = RawCookie::build((name.to_owned(), value.to_owned()))
            .path("/")
            .build();
        // A cookie that the store refuses (another domain, expired) cannot be built here.
        let _ = self
            .cookies
            .get_or_insert_default()
            .insert_raw(&cookie, self.shared.base.url());
    }

    /// Forgets all cookies of this name.
    pub fn remove_cookie(&mut self, name: &str) {
        let Some(store) = &mut self.cookies else {
            return;
        };
        let found: Vec<(String, String)> = store
            .iter_any()
            .filter(|cookie| cookie.name() == name)
            .filter_map(|cookie| {
                let domain = cookie.domain.as_cow()?.into_owned();
                Some((domain, String::from(&cookie.path)))
            })
            .collect();
        for (domain, path) in found {
            store.remove(&domain, &path, name);
        }
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&mut self) {
        self.cookies = None;
    }
}
