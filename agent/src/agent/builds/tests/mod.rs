use greylag_infra::FileHash;

mod cache;
mod fetch;
mod misbehaving_server;

fn hash_of(content: &[u8]) -> FileHash {
    FileHash::of(content).unwrap()
}
