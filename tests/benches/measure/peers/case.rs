//! What is requested: each case is another path to the same nginx.

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Get100,
    Get10k,
    PostJson,
    TlsKept,
    TlsNew,
}

/// What JSON requests send.
pub(super) const JSON: &str = r#"{"id": 7, "name": "Ada", "items": [1, 2, 3], "express": true}"#;

impl Case {
    pub(super) const ALL: [Self; 5] = [
        Self::Get100,
        Self::Get10k,
        Self::PostJson,
        Self::TlsKept,
        Self::TlsNew,
    ];

    /// How it is named on the command line.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Get100 => "get",
            Self::Get10k => "get10k",
            Self::PostJson => "post",
            Self::TlsKept => "tls",
            Self::TlsNew => "tls-new",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Get100 => "GET 100 B",
            Self::Get10k => "GET 10 kB",
            Self::PostJson => "POST JSON",
            Self::TlsKept => "HTTPS, kept alive",
            Self::TlsNew => "HTTPS, new connection each",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Get10k => "/10k",
            Self::PostJson => "/json",
            Self::Get100 | Self::TlsKept | Self::TlsNew => "/",
        }
    }

    pub(super) fn is_post(self) -> bool {
        self == Self::PostJson
    }
}
