//! Notes in Markdown as HTML that can do no harm: what is HTML in a note is shown as it was written, links lead to web pages or within
//! this server, and nothing is fetched from elsewhere.

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// Longest note, in bytes.
pub(crate) const MAX_NOTE_BYTES: usize = 10_000;

/// A note as HTML.
pub(crate) fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // Whether each link that is open is one that may be followed.
    let mut links = Vec::new();
    let events = Parser::new_ext(markdown, options).filter_map(|event| {
        Some(match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            // Its text stays: another server's picture would tell that server who looks at the page.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return None,
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                ..
            }) => {
                let may_follow = link_type != LinkType::Email && is_harmless(&dest_url);
                links.push(may_follow);
                if !may_follow {
                    return None;
                }
                Event::Start(Tag::Link {
                    link_type: LinkType::Inline,
                    dest_url,
                    title: CowStr::Borrowed(""),
                    id: CowStr::Borrowed(""),
                })
            }
            Event::End(TagEnd::Link) => match links.pop() {
                Some(true) => Event::End(TagEnd::Link),
                _ => return None,
            },
            // Below the headings of the page.
            Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
                level: below(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
            event => event,
        })
    });
    let mut text = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut text, events);
    text
}

fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// Whether a link is a web page's, or has no scheme and so leads to this server.
fn is_harmless(url: &str) -> bool {
    // Browsers leave out control characters and spaces before they look for the scheme.
    let is_plain = url.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let before_path = url.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = before_path.split_once(':').map(|(scheme, _)| scheme);
    let may_be = scheme.is_none_or(|scheme| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    is_plain && may_be && !url.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_shown() {
        let html = to_html(
            "# Why\n\nSlower **since** `abc`, see [the ticket](https://a.example/1?x=1&y=2) and [#7](/runs/x).\n\n* a\n* b\n",
        );
        for part in [
            "<h3>Why</h3>",
            "<strong>since</strong> <code>abc</code>",
            "<a href=\"https://a.example/1?x=1&amp;y=2\">the ticket</a>",
            "<a href=\"/runs/x\">#7</a>",
            "<li>a</li>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn nothing_in_a_note_can_do_harm() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onmouseover=alert(1)>b</b>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java&#115;cript:alert(1))",
            "[x](&#x6A;avascript:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "[x](\u{1}javascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:x)",
            "[x](file:///etc/passwd)",
            "[x]: javascript:alert(1)\n\n[x]",
            "<javascript:alert(1)>",
            "<a@example.org>",
            "![x](https://evil.example/pixel.png)",
            "![x](javascript:alert(1))",
            "[![x](https://evil.example/p.png)](javascript:alert(1))",
            "[x](https://a.example \"\\\" onmouseover=alert(1) \\\"\")",
            "[x](https://a.example/\"onmouseover=alert(1))",
            "```\"><script>alert(1)</script>\nx\n```",
            "# x {#id onclick=alert(1)}",
            "<!-- --><style>*{display:none}</style>",
            "<![CDATA[ <script> ]]>",
            "<?php <script> ?>",
        ] {
            let html = to_html(hostile).to_lowercase();
            for (start, _) in html.match_indices('<') {
                let tag = &html[start + 1..];
                let name = tag
                    .trim_start_matches('/')
                    .split(|c: char| !c.is_ascii_alphanumeric());
                let name = name.into_iter().next().unwrap_or_default();
                let known = ["p", "a", "h3", "pre", "code", "strong", "em", "br"];
                assert!(known.contains(&name), "{hostile}: {html}");
                let attributes = tag.split('>').next().unwrap_or_default();
                let attributes = attributes.split_whitespace().skip(1);
                let known = ["href=\"https://", "href=\"/", "class=\"language-"];
                for attribute in attributes {
                    let is_known = known.iter().any(|known| attribute.starts_with(known));
                    assert!(is_known, "{attribute} of {hostile}: {html}");
                }
            }
        }
    }

    #[test]
    fn deep_and_long_notes_stay_bounded() {
        for piece in ["> ", "* ", "[", "**", "`", "<", "|", "![](", "\n#"] {
            let note = piece.repeat(MAX_NOTE_BYTES / piece.len());
            let html = to_html(&note);
            assert!(html.len() < 40 * MAX_NOTE_BYTES, "{piece}: {}", html.len());
        }
    }
}
