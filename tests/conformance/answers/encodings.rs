//! Content encodings: which are undone, and what of bodies that are not what they say.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::answer::{Answer, BODY, close, head_and, keep, whole};

/// `hello` in Brotli.
const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";
const WRITTEN: &str = "memory takes everything";

pub(super) fn gzip(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_ref()).expect(WRITTEN);
    encoder.finish().expect(WRITTEN)
}

fn zlib(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_ref()).expect(WRITTEN);
    encoder.finish().expect(WRITTEN)
}

fn deflate(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_ref()).expect(WRITTEN);
    encoder.finish().expect(WRITTEN)
}

fn encoded(status: &str, encoding: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    whole(status, &format!("Content-Encoding: {encoding}\r\n"), body)
}

/// How encodings are named.
pub(super) fn names() -> Vec<Answer> {
    let (zipped, plain) = (gzip(BODY), BODY.as_bytes().to_vec());
    let twice = gzip(&zipped);
    let named = [
        ("gzip", "gzip", &zipped),
        ("x-gzip", "x-gzip", &zipped),
        ("gzip-upper-case", "GZIP", &zipped),
        ("gzip-mixed-case", "Gzip", &zipped),
        ("gzip-spaces", "   gzip   ", &zipped),
        ("gzip-parameter", "gzip;q=1", &zipped),
        ("gzip-quoted", "\"gzip\"", &zipped),
        ("gzip-8-bit", "gzip\u{e9}", &zipped),
        ("zlib", "deflate", &zlib(BODY)),
        ("zlib-upper-case", "DEFLATE", &zlib(BODY)),
        ("raw-deflate", "deflate", &deflate(BODY)),
        ("x-deflate", "x-deflate", &zlib(BODY)),
        ("br", "br", &BROTLI.to_vec()),
        ("br-upper-case", "BR", &BROTLI.to_vec()),
        ("brotli", "brotli", &BROTLI.to_vec()),
        ("identity", "identity", &plain),
        ("none", "none", &plain),
        ("utf-8", "utf-8", &plain),
        ("empty", "", &plain),
        ("unknown", "foo", &plain),
        ("compress", "compress", &plain),
        ("zstd", "zstd", &plain),
        ("gzip-twice", "gzip, gzip", &twice),
        ("gzip-twice-said-once", "gzip", &twice),
        ("gzip-identity", "gzip, identity", &zipped),
        ("identity-gzip", "identity, gzip", &zipped),
        ("unknown-gzip", "foo, gzip", &zipped),
        ("gzip-unknown", "gzip, foo", &zipped),
        ("deflate-gzip", "deflate, gzip", &gzip(zlib(BODY))),
        ("gzip-br", "gzip, br", &BROTLI.to_vec()),
        ("comma-first", ", gzip", &zipped),
        ("comma-last", "gzip,", &zipped),
        ("comma-without-space", "gzip,gzip", &twice),
    ];
    let mut answers: Vec<_> = named
        .into_iter()
        .map(|(what, encoding, body)| {
            keep(
                format!("encoding/{what}"),
                encoded("200 OK", encoding, body),
            )
        })
        .collect();
    let lines = |first: &str, second: &str| {
        format!("Content-Encoding: {first}\r\nContent-Encoding: {second}\r\n")
    };
    answers.push(keep(
        "encoding/gzip-in-two-lines",
        whole("200 OK", &lines("gzip", "gzip"), &twice),
    ));
    answers.push(keep(
        "encoding/gzip-line-twice",
        whole("200 OK", &lines("gzip", "gzip"), &zipped),
    ));
    answers
}

/// Encoded bodies that are not whole, not right, or more than one.
pub(super) fn bodies() -> Vec<Answer> {
    let long = "hello ".repeat(2_000);
    let zipped = gzip(&long);
    let ended = zipped.len() - 8;
    let mut other_sum = zipped.clone();
    other_sum[ended] ^= 1;
    let mut other_length = zipped.clone();
    other_length[ended + 4] ^= 1;
    let mut flipped = zipped.clone();
    flipped[15] ^= 0xff;
    let named = [
        &zipped[..3],
        b"\x08",
        &zipped[4..10],
        b"a-name\0",
        &zipped[10..],
    ]
    .concat();
    let zlib = zlib(&long);
    let mut other_zlib_sum = zlib.clone();
    *other_zlib_sum.last_mut().expect("it has one") ^= 1;
    let raw = deflate(&long);
    let join = |parts: &[&[u8]]| parts.concat();
    let bodies: [(&str, &str, Vec<u8>); 52] = [
        ("gzip-long", "gzip", zipped.clone()),
        ("gzip-with-name", "gzip", named),
        ("gzip-of-nothing", "gzip", gzip("")),
        ("gzip-empty", "gzip", Vec::new()),
        ("gzip-plain", "gzip", BODY.into()),
        ("gzip-zlib", "gzip", zlib.clone()),
        ("gzip-raw", "gzip", raw.clone()),
        ("gzip-one-byte", "gzip", zipped[..1].into()),
        ("gzip-half-head", "gzip", zipped[..5].into()),
        ("gzip-only-head", "gzip", zipped[..10].into()),
        ("gzip-half", "gzip", zipped[..zipped.len() / 2].into()),
        ("gzip-without-end", "gzip", zipped[..ended].into()),
        ("gzip-half-end", "gzip", zipped[..ended + 4].into()),
        ("gzip-without-last-byte", "gzip", zipped[..ended + 7].into()),
        ("gzip-other-sum", "gzip", other_sum),
        ("gzip-other-length", "gzip", other_length),
        ("gzip-flipped", "gzip", flipped),
        ("gzip-and-zeros", "gzip", join(&[&zipped, &[0; 16]])),
        ("gzip-and-crlf", "gzip", join(&[&zipped, b"\r\n"])),
        (
            "gzip-and-text",
            "gzip",
            join(&[&zipped, b"garbage behind it"]),
        ),
        ("gzip-and-1f", "gzip", join(&[&zipped, b"\x1f"])),
        ("gzip-and-magic", "gzip", join(&[&zipped, b"\x1f\x8b"])),
        (
            "gzip-two-members",
            "gzip",
            join(&[&gzip("one "), &gzip("two")]),
        ),
        (
            "gzip-three-members",
            "gzip",
            join(&[&gzip("one "), &gzip("two "), &gzip("three")]),
        ),
        (
            "gzip-empty-member-first",
            "gzip",
            join(&[&gzip(""), &gzip("two")]),
        ),
        (
            "gzip-empty-member-last",
            "gzip",
            join(&[&gzip("one"), &gzip("")]),
        ),
        (
            "gzip-two-members-and-zeros",
            "gzip",
            join(&[&gzip("one "), &gzip("two"), &[0; 16]]),
        ),
        (
            "gzip-zeros-between-members",
            "gzip",
            join(&[&gzip("one "), &[0; 16], &gzip("two")]),
        ),
        (
            "gzip-half-second-member",
            "gzip",
            join(&[&gzip("one "), &gzip("two")[..12]]),
        ),
        (
            "gzip-bad-second-member",
            "gzip",
            join(&[
                &gzip("one "),
                b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xff\xff\xff\xff",
            ]),
        ),
        ("deflate-long", "deflate", zlib.clone()),
        ("deflate-of-nothing", "deflate", self::zlib("")),
        ("deflate-empty", "deflate", Vec::new()),
        ("deflate-plain", "deflate", BODY.into()),
        ("deflate-gzip", "deflate", zipped.clone()),
        ("deflate-half", "deflate", zlib[..zlib.len() / 2].into()),
        (
            "deflate-without-sum",
            "deflate",
            zlib[..zlib.len() - 4].into(),
        ),
        ("deflate-other-sum", "deflate", other_zlib_sum),
        ("deflate-and-text", "deflate", join(&[&zlib, b"garbage"])),
        ("raw-long", "deflate", raw.clone()),
        ("raw-half", "deflate", raw[..raw.len() / 2].into()),
        ("raw-and-text", "deflate", join(&[&raw, b"garbage"])),
        ("br-of-nothing", "br", b"\x3b".into()),
        ("br-empty", "br", Vec::new()),
        ("br-plain", "br", BODY.into()),
        ("br-half", "br", BROTLI[..5].into()),
        (
            "br-without-last-byte",
            "br",
            BROTLI[..BROTLI.len() - 1].into(),
        ),
        ("br-and-text", "br", join(&[BROTLI, b"garbage"])),
        ("br-and-zeros", "br", join(&[BROTLI, &[0; 16]])),
        ("br-gzip", "br", zipped.clone()),
        ("gzip-megabyte", "gzip", gzip(vec![b'a'; 1 << 20])),
        ("gzip-of-gzip", "gzip", gzip(gzip(BODY))),
    ];
    let mut answers: Vec<_> = bodies
        .into_iter()
        .map(|(what, encoding, body)| {
            keep(format!("encoded/{what}"), encoded("200 OK", encoding, body))
        })
        .collect();
    for status in ["404 Not Found", "500 Internal Server Error"] {
        let code = &status[..3];
        answers.push(keep(
            format!("encoded/{code}"),
            encoded(status, "gzip", gzip(BODY)),
        ));
        answers.push(keep(
            format!("encoded/{code}-plain"),
            encoded(status, "gzip", BODY),
        ));
        answers.push(keep(
            format!("encoded/{code}-half"),
            encoded(status, "gzip", &zipped[..40]),
        ));
        answers.push(keep(
            format!("encoded/{code}-empty"),
            encoded(status, "gzip", ""),
        ));
    }
    let line = "Content-Encoding: gzip\r\n";
    let size = format!("{:x}\r\n", zipped.len());
    let chunks = [size.as_bytes(), &zipped, b"\r\n0\r\n\r\n"].concat();
    let cut = &zipped[..30];
    answers.extend([
        keep(
            "encoded/chunked",
            head_and(&format!("{line}Transfer-Encoding: chunked\r\n"), &chunks),
        ),
        keep(
            "encoded/chunked-empty",
            head_and(
                &format!("{line}Transfer-Encoding: chunked\r\n"),
                "0\r\n\r\n",
            ),
        ),
        close("encoded/until-close", head_and(line, &zipped)),
        close("encoded/until-close-half", head_and(line, cut)),
        close("encoded/until-close-nothing", head_and(line, "")),
        close(
            "encoded/cut-short",
            head_and(&format!("{line}Content-Length: 500\r\n"), cut),
        ),
        keep(
            "encoded/204",
            format!("HTTP/1.1 204 No Content\r\n{line}\r\n"),
        ),
        keep(
            "encoded/304",
            format!("HTTP/1.1 304 Not Modified\r\n{line}\r\n"),
        ),
        keep("encoded/206", encoded("206 Partial Content", "gzip", BODY)),
    ]);
    answers
}
