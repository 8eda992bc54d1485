//! A long answer of the coordinator as it comes, and the file that it goes into.

use std::io::{self, Write};

use greylag_reporting::NEXT_SECOND_HEADER;
use reqwest::Response;

use super::api_client::ApiError;
use super::failure::Failure;
use super::output_file::OutputFile;
use crate::innermost::innermost;

/// An answer whose body is read piece by piece.
pub(crate) struct Download {
    url: String,
    response: Response,
}

impl Download {
    /// The answer of the coordinator at this address.
    pub(crate) fn new(url: String, response: Response) -> Self {
        Self { url, response }
    }

    /// The second to ask for next, where only a part of a history was asked for.
    pub(crate) fn next_second(&self) -> Option<u32> {
        let next = self.response.headers().get(NEXT_SECOND_HEADER)?;
        next.to_str().ok()?.parse().ok()
    }

    /// The next bytes; none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, ApiError> {
        let chunk = self.response.chunk().await;
        chunk.map_err(|error| ApiError::BrokenOff {
            url: self.url.clone(),
            cause: innermost(&error),
        })
    }

    /// Writes all of it to standard output. A reader that has gone away (`| head`) is not a failure.
    pub(crate) async fn print(mut self) -> Result<(), Failure> {
        while let Some(chunk) = self.chunk().await.map_err(Failure::failed)? {
            let mut output = io::stdout().lock();
            match output.write_all(&chunk).and_then(|()| output.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => {
                    return Err(Failure::failed(format!(
                        "standard output cannot be written: {error}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Writes all of it to a file, which has the whole or is not touched. One that exists is replaced. How many bytes it has.
    ///
    /// # Errors
    /// The answer broke off, or the file cannot be written.
    pub(crate) async fn save(mut self, file: &OutputFile) -> Result<u64, SaveError> {
        let mut filled = file.begin()?;
        let mut bytes = 0;
        while let Some(chunk) = self.chunk().await? {
            let written = filled.write_all(&chunk);
            written.map_err(|error| file.failed(&error))?;
            bytes += chunk.len() as u64;
        }
        file.finish(filled)?;
        Ok(bytes)
    }
}

/// Why an answer is not in its file.
#[derive(Debug)]
pub(crate) enum SaveError {
    /// It did not come.
    Api(ApiError),
    /// The file cannot be written.
    File(Failure),
}

impl From<ApiError> for SaveError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<Failure> for SaveError {
    fn from(failure: Failure) -> Self {
        Self::File(failure)
    }
}

impl SaveError {
    /// Names the file that was not written, and says what can be done.
    pub(crate) fn of_file(self, file: &OutputFile, advice: &str) -> Failure {
        match self {
            Self::Api(error) => Failure::failed(format!(
                "{} was not written to {}: {error}{advice}",
                file.what(),
                file.path().display()
            )),
            Self::File(failure) => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_a_failure_and_leaves_the_file_as_it_was() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            let part = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart";
            stream.write_all(part).await.unwrap();
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page.html");
        std::fs::write(&path, "the last one").unwrap();
        let file = OutputFile::new("the page", path.clone()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([]).build();
        let response = client.unwrap().get(&url).send().await.unwrap();
        let saved = Download::new(url.clone(), response).save(&file).await;
        let failure = saved.unwrap_err().of_file(&file, ". Try again");
        let message = failure.to_string();
        let begins = format!("the page was not written to {}: ", path.display());
        assert!(message.starts_with(&begins), "{message}");
        let ends = [&url, "did not answer to the end", ". Try again"];
        assert!(
            ends.iter().all(|words| message.contains(*words)),
            "{message}"
        );
        // Not that of bad input: the run that is shown was started.
        assert_eq!(
            format!("{:?}", failure.report()),
            format!("{:?}", std::process::ExitCode::FAILURE)
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the last one");
        server.await.unwrap();
    }
}
