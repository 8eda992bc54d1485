//! Reads the text of a threshold.

use super::amount::Amount;
use super::error::{ThresholdError, ThresholdProblem, shown};
use super::{
    Comparison, MAX_ABORT_AFTER_S, MAX_THRESHOLD_BYTES, MAX_WITHIN_S, METRIC, TAG, Threshold,
    ThresholdLimit, ThresholdMetric, ThresholdPhase, ThresholdSubject, ThresholdUnit,
};
use crate::base::{MAX_NAME_BYTES, nearest, parse_whole_seconds, visible_line};
use crate::protocol::MAX_METRIC_NAME_BYTES;

/// What may follow a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Clause {
    For,
    During,
    Within,
    AbortAfter,
}

impl Clause {
    /// In the order in which they are written.
    pub(crate) const ALL: [Self; 4] = [Self::For, Self::During, Self::Within, Self::AbortAfter];

    /// How it begins.
    fn word(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::During => "during",
            Self::Within => "within",
            Self::AbortAfter => "abort",
        }
    }

    /// How it is called.
    fn name(self) -> &'static str {
        match self {
            Self::AbortAfter => "abort after",
            other => other.word(),
        }
    }

    /// Its key where a threshold is a table.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::AbortAfter => "abort_after",
            other => other.word(),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::For => "an endpoint such as `GET /checkout` or a tag such as `tag api`",
            Self::During => "a phase such as `steady`",
            Self::Within | Self::AbortAfter => "a duration such as `30s`",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clause| clause.word() == word)
    }
}

/// A threshold while it is read.
struct Reading {
    metric: ThresholdMetric,
    comparison: Comparison,
    limit: ThresholdLimit,
    /// The custom metric that it is about.
    custom: Option<ThresholdSubject>,
    of: Option<ThresholdSubject>,
    during: Option<ThresholdPhase>,
    within_s: Option<u32>,
    abort_after_s: Option<u32>,
}

impl Threshold {
    /// Reads a threshold of which parts are said apart from its text.
    ///
    /// # Errors
    /// The text is not a threshold, a part is not valid, or it is said twice.
    pub(crate) fn from_parts(text: &str, parts: &[(Clause, &str)]) -> Result<Self, ThresholdError> {
        read(text, parts).map_err(|problem| ThresholdError {
            text: shown(text.trim()),
            problem,
        })
    }

    /// The same of what a person writes now: a word like `tag` is a typing error there, and in what was saved a method.
    ///
    /// # Errors
    /// As of [`Threshold::from_parts`].
    pub(crate) fn written(text: &str, parts: &[(Clause, &str)]) -> Result<Self, ThresholdError> {
        let threshold = Self::from_parts(text, parts)?;
        match &threshold.of {
            ThresholdSubject::Endpoint { method, name } if is_like_tag(method) => {
                Err(ThresholdError {
                    text: shown(text.trim()),
                    problem: ThresholdProblem::NotTheWordTag {
                        found: shown(method),
                        meant: shown(&format!("{TAG} {}", name.trim())),
                    },
                })
            }
            _ => Ok(threshold),
        }
    }
}

fn read(text: &str, parts: &[(Clause, &str)]) -> Result<Threshold, ThresholdProblem> {
    let is_long = |text: &str| text.len() > MAX_THRESHOLD_BYTES;
    let is_control = |text: &str| text.chars().any(char::is_control);
    if is_long(text) || parts.iter().any(|(_, text)| is_long(text)) {
        return Err(ThresholdProblem::TooLong);
    }
    let text = text.trim();
    if is_control(text) || parts.iter().any(|(_, text)| is_control(text)) {
        return Err(ThresholdProblem::Control);
    }
    let (mut reading, mut rest) = Reading::head(text)?;
    while !rest.is_empty() {
        let (clause, after) = clause(rest)?;
        let (value, after) = value(clause, after)?;
        reading.take(clause, &value)?;
        rest = after;
    }
    for (clause, text) in parts {
        reading.take(*clause, &part(*clause, text.trim())?)?;
    }
    reading.finish()
}

impl Reading {
    /// Metric, comparison and limit, and what follows them.
    fn head(text: &str) -> Result<(Self, &str), ThresholdProblem> {
        if text.is_empty() {
            return Err(ThresholdProblem::Empty);
        }
        let (custom, text) = custom_metric(text)?;
        let is_sign = |c: char| "<>=!≤≥".contains(c);
        let at = text.find(is_sign).ok_or(ThresholdProblem::NoComparison)?;
        let (metric, rest) = text.split_at(at);
        let end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let (sign, rest) = rest.split_at(end);
        let comparison = comparison(sign)?;
        let metric = match metric.trim() {
            "" if custom.is_some() => {
                return Err(ThresholdProblem::NoStatistic(comparison.sign()));
            }
            "" => return Err(ThresholdProblem::NoMetric(comparison.sign())),
            metric if custom.is_some() => ThresholdMetric::read_custom(metric)?,
            metric => ThresholdMetric::read(metric)?,
        };
        let (limit, rest) = until_clause(rest.trim());
        let limit = limit_of(limit, metric, comparison)?;
        let reading = Self {
            metric,
            comparison,
            limit,
            custom: custom.map(|name| ThresholdSubject::Metric { name }),
            of: None,
            during: None,
            within_s: None,
            abort_after_s: None,
        };
        Ok((reading, rest))
    }

    fn take(&mut self, clause: Clause, value: &str) -> Result<(), ThresholdProblem> {
        let is_repeated = match clause {
            Clause::For => self.of.is_some(),
            Clause::During => self.during.is_some(),
            Clause::Within => self.within_s.is_some(),
            Clause::AbortAfter => self.abort_after_s.is_some(),
        };
        if is_repeated {
            return Err(ThresholdProblem::Repeated(clause.name()));
        }
        if value.is_empty() {
            return Err(ThresholdProblem::NoValue {
                clause: clause.name(),
                expected: clause.expected(),
            });
        }
        match clause {
            Clause::For => self.of = Some(subject(value)?),
            Clause::During => self.during = Some(phase(value)?),
            Clause::Within => self.within_s = Some(within(value)?),
            Clause::AbortAfter => self.abort_after_s = Some(abort_after(value)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Threshold, ThresholdProblem> {
        let of = self.of.unwrap_or_default();
        let is_of_some = of != ThresholdSubject::All;
        let threshold = Threshold {
            metric: self.metric,
            comparison: self.comparison,
            limit: self.limit,
            of: self.custom.unwrap_or(of),
            during: self.during.unwrap_or_default(),
            within_s: self.within_s,
            abort_after_s: self.abort_after_s,
        };
        if is_of_some && !threshold.metric.is_of_requests() {
            return Err(ThresholdProblem::NotOfRequests {
                metric: threshold.metric_text(),
            });
        }
        Ok(threshold)
    }
}

/// The name of the custom metric that a text begins with, and what follows it.
fn custom_metric(text: &str) -> Result<(Option<String>, &str), ThresholdProblem> {
    let rest = text.strip_prefix(METRIC);
    let is_word = |rest: &&str| rest.is_empty() || rest.starts_with([' ', '\t', '"']);
    let Some(rest) = rest.filter(is_word).map(str::trim_start) else {
        return Ok((None, text));
    };
    let (name, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            match name.starts_with(['<', '>', '=']) {
                true => return Err(ThresholdProblem::NoMetricName),
                false => (name.to_owned(), rest.trim_start()),
            }
        }
    };
    if name.trim().len() > MAX_METRIC_NAME_BYTES {
        return Err(ThresholdProblem::LongMetricName);
    }
    // As a run knows it.
    let name = visible_line(&name, MAX_METRIC_NAME_BYTES);
    if name.is_empty() {
        return Err(ThresholdProblem::NoMetricName);
    }
    Ok((Some(name), rest))
}

fn comparison(sign: &str) -> Result<Comparison, ThresholdProblem> {
    let known = Comparison::SIGNS.iter().find(|(known, _)| *known == sign);
    known.map(|(_, comparison)| *comparison).ok_or_else(|| {
        let meant = match sign {
            "=<" | "≤" => Some("<="),
            "=>" | "≥" => Some(">="),
            "<<" => Some("<"),
            ">>" => Some(">"),
            _ => None,
        };
        ThresholdProblem::Comparison {
            found: shown(sign),
            meant: meant.map(str::to_owned),
        }
    })
}

fn limit_of(
    text: &str,
    metric: ThresholdMetric,
    comparison: Comparison,
) -> Result<ThresholdLimit, ThresholdProblem> {
    let unit = metric.unit();
    if text.is_empty() {
        return Err(ThresholdProblem::NoLimit {
            sign: comparison.sign(),
            unit,
        });
    }
    let Some(limit) = ThresholdLimit::read(text, unit)? else {
        return Err(not_a_limit(text, metric, unit));
    };
    let metric = metric.to_string();
    match comparison {
        Comparison::Below if limit.is_zero() && unit != ThresholdUnit::Number => {
            Err(ThresholdProblem::NeverBelow { metric })
        }
        Comparison::Above if unit == ThresholdUnit::Share && limit.is_most(unit) => {
            let (_, most) = unit.most();
            Err(ThresholdProblem::NeverAbove { metric, most })
        }
        _ => Ok(limit),
    }
}

fn not_a_limit(text: &str, metric: ThresholdMetric, unit: ThresholdUnit) -> ThresholdProblem {
    let (first, others) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if !others.is_empty() && matches!(ThresholdLimit::read(first, unit), Ok(Some(_))) {
        let others = others.trim_start();
        let word = others.split_whitespace().next().unwrap_or_default();
        let words = Clause::ALL.map(Clause::word);
        return ThresholdProblem::Unexpected {
            found: shown(others),
            nearest: nearest(word, words).map(str::to_owned),
        };
    }
    // What is most likely missing is the unit, if with it there is a limit.
    let with_unit = match unit {
        ThresholdUnit::Ms => Some(format!("{text}ms")),
        ThresholdUnit::Share => Amount::percent_of_number(text),
        ThresholdUnit::PerSecond => text.strip_suffix("/s").map(str::to_owned),
        ThresholdUnit::Count | ThresholdUnit::Number => None,
    };
    let is_number = text.starts_with(|c: char| c.is_ascii_digit());
    let is_baseline = nearest(text, ["baseline"]).map(str::to_owned);
    ThresholdProblem::Limit {
        found: shown(text),
        metric: metric.to_string(),
        unit,
        meant: with_unit
            .filter(|meant| is_number && matches!(ThresholdLimit::read(meant, unit), Ok(Some(_))))
            .or(is_baseline),
    }
}

/// The text before the first word that begins a clause, and the rest from there.
fn until_clause(text: &str) -> (&str, &str) {
    for (at, word) in words(text) {
        if Clause::of_word(word).is_some() {
            let (before, rest) = text.split_at(at);
            return (before.trim_end(), rest);
        }
    }
    (text, "")
}

/// Words with where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let start = at + rest.find(|c: char| !c.is_whitespace())?;
        let word = &text[start..];
        let length = word.find(char::is_whitespace).unwrap_or(word.len());
        at = start + length;
        Some((start, &text[start..at]))
    })
}

/// The clause that a text begins with, and what follows its words.
fn clause(text: &str) -> Result<(Clause, &str), ThresholdProblem> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    let Some(clause) = Clause::of_word(word) else {
        return Err(ThresholdProblem::AfterQuote { found: shown(text) });
    };
    if clause != Clause::AbortAfter {
        return Ok((clause, rest));
    }
    let (after, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if after != "after" {
        return Err(ThresholdProblem::AbortAfter);
    }
    Ok((clause, rest.trim_start()))
}

/// What a clause says, and what follows it.
fn value(clause: Clause, text: &str) -> Result<(String, &str), ThresholdProblem> {
    if let Some(quoted) = quoted_after(clause, text) {
        return unquoted(quoted);
    }
    let (value, rest) = until_clause(text);
    Ok((spaced_once(clause, value), rest))
}

/// The same of a clause that is said apart: all of the text is its value, also words that would begin another clause.
fn part(clause: Clause, text: &str) -> Result<String, ThresholdProblem> {
    let Some(quoted) = quoted_after(clause, text) else {
        return Ok(spaced_once(clause, text));
    };
    match unquoted(quoted)? {
        (value, "") => Ok(value),
        (_, rest) => Err(ThresholdProblem::AfterQuotedPart { found: shown(rest) }),
    }
}

/// What follows the opening quotation mark, where a clause's value may be in quotation marks and is.
fn quoted_after(clause: Clause, text: &str) -> Option<&str> {
    text.strip_prefix('"').filter(|_| clause == Clause::For)
}

/// A value however far apart a method and a name are written: a name that begins with a space is in quotation marks.
fn spaced_once(clause: Clause, value: &str) -> String {
    match value.split_once(char::is_whitespace) {
        Some((method, name)) if clause == Clause::For => format!("{method} {}", name.trim_start()),
        _ => value.to_owned(),
    }
}

/// The text up to the closing quotation mark, and what follows that.
fn unquoted(text: &str) -> Result<(String, &str), ThresholdProblem> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, text[at + 1..].trim_start())),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err(ThresholdProblem::OpenQuote)
}

/// An endpoint or a tag as it is written after `for`: in quotation marks where it would be read otherwise.
pub(super) fn quoted(subject: &str) -> String {
    let has_clause = words(subject).any(|(_, word)| Clause::of_word(word).is_some());
    let is_apart = subject
        .split_once(' ')
        .is_some_and(|(_, name)| name.starts_with(char::is_whitespace));
    if !has_clause && !is_apart && subject.trim() == subject && !subject.starts_with('"') {
        return subject.to_owned();
    }
    in_quotes(subject)
}

/// A name in quotation marks, as [`unquoted`] reads it.
pub(super) fn in_quotes(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

fn subject(text: &str) -> Result<ThresholdSubject, ThresholdProblem> {
    if text == "all" {
        return Ok(ThresholdSubject::All);
    }
    let parts = text.split_once(' ');
    // In quotation marks there may be nothing but spaces behind the word.
    let is_tag = parts.map_or(text, |(method, _)| method) == TAG;
    let Some((method, name)) =
        parts.filter(|(method, name)| !method.is_empty() && !name.is_empty())
    else {
        return Err(match is_tag {
            true => ThresholdProblem::NoTag,
            false => ThresholdProblem::Endpoint { found: shown(text) },
        });
    };
    if is_tag {
        return match name {
            name if name.trim().is_empty() => Err(ThresholdProblem::NoTag),
            name if name.len() > MAX_NAME_BYTES => Err(ThresholdProblem::LongTag),
            name => Ok(ThresholdSubject::Tag {
                name: name.to_owned(),
            }),
        };
    }
    if name.len() > MAX_NAME_BYTES || method.len() > MAX_NAME_BYTES {
        return Err(ThresholdProblem::LongName);
    }
    Ok(ThresholdSubject::Endpoint {
        method: method.to_owned(),
        name: name.to_owned(),
    })
}

/// Whether a word stands where [`TAG`] was most likely meant: as a method of an endpoint that is never requested it would only
/// come out when the run is over.
fn is_like_tag(word: &str) -> bool {
    let alike = [TAG, "tags", "tagged"];
    alike.iter().any(|alike| word.eq_ignore_ascii_case(alike))
}

fn phase(text: &str) -> Result<ThresholdPhase, ThresholdProblem> {
    let known = ThresholdPhase::WORDS.iter();
    let found = known.clone().find(|(word, _)| *word == text);
    found.map(|(_, phase)| *phase).ok_or_else(|| {
        let words = known.map(|(word, _)| *word);
        ThresholdProblem::Phase {
            found: shown(text),
            nearest: nearest(text, words).map(str::to_owned),
        }
    })
}

fn within(text: &str) -> Result<u32, ThresholdProblem> {
    let seconds = seconds(Clause::Within, text)?;
    let short = u32::try_from(seconds).ok();
    short
        .filter(|seconds| (1..=MAX_WITHIN_S).contains(seconds))
        .ok_or(ThresholdProblem::Within(seconds))
}

fn abort_after(text: &str) -> Result<u32, ThresholdProblem> {
    let seconds = seconds(Clause::AbortAfter, text)?;
    let short = u32::try_from(seconds).ok();
    short
        .filter(|seconds| *seconds <= MAX_ABORT_AFTER_S)
        .ok_or(ThresholdProblem::Abort(seconds))
}

fn seconds(clause: Clause, text: &str) -> Result<u64, ThresholdProblem> {
    parse_whole_seconds(text).map_err(|error| ThresholdProblem::Duration {
        clause: clause.name(),
        error,
    })
}
