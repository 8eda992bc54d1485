//! Where Greylag reads an answer otherwise than Locust's same client, and why: `exceptions.txt`.

use super::compare::Aspect;

/// Reasons, each with indented lines of a client (or `both`), aspects joined by `+`, and names of answers. Names of one
/// family may stand in braces: `cut/{plain-01 plain-02}`.
const TABLE: &str = include_str!("exceptions.txt");

/// Which of the two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// `HttpUser`.
    Http,
    /// `FastHttpUser`.
    Fast,
}

/// One line of the table. Each of its answers must differ in each of its aspects with each of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) clients: Vec<Client>,
    pub(super) aspects: Vec<Aspect>,
    pub(super) answers: Vec<String>,
    pub(super) why: &'static str,
}

impl Exception {
    pub(super) fn covers(&self, client: Client, aspect: Aspect, name: &str) -> bool {
        self.clients.contains(&client)
            && self.aspects.contains(&aspect)
            && self.answers.iter().any(|answer| answer == name)
    }
}

pub(super) fn exceptions() -> Vec<Exception> {
    let mut why = "";
    let mut exceptions = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let Some(row) = line.strip_prefix("    ") else {
            why = line;
            continue;
        };
        let mut words = row.split_whitespace();
        let clients = match words.next() {
            Some("both") => vec![Client::Http, Client::Fast],
            Some("http") => vec![Client::Http],
            Some("fast") => vec![Client::Fast],
            other => panic!("{other:?} is not a client, in: {line}"),
        };
        let aspects = words.next().expect("each row has aspects").split('+');
        exceptions.push(Exception {
            clients,
            aspects: aspects.map(aspect).collect(),
            answers: names(words),
            why,
        });
    }
    exceptions
}

fn aspect(word: &str) -> Aspect {
    let aspect = Aspect::ALL
        .into_iter()
        .find(|aspect| format!("{aspect:?}").eq_ignore_ascii_case(word));
    aspect.unwrap_or_else(|| panic!("{word} is not an aspect"))
}

/// Names written out: those in braces have what stands before the brace before them.
fn names<'w>(words: impl Iterator<Item = &'w str>) -> Vec<String> {
    let mut family = "";
    let mut names = Vec::new();
    for word in words {
        let mut word = word;
        if let Some((before, first)) = word.split_once('{') {
            (family, word) = (before, first);
        }
        let last = word.strip_suffix('}');
        names.push(format!("{family}{}", last.unwrap_or(word)));
        if last.is_some() {
            family = "";
        }
    }
    names
}
