//! The cost of files: transfers of large ones, texts that become searchable, searches among many
//! chunks.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    common::client::{Client, field},
    common::processes::Process,
    load::median,
};

/// The maximum size of a file in the service.
pub const LARGE: usize = 512 << 20;
const PIECE: usize = 1 << 20;

/// The time to copy a file of that size on the same disk.
pub fn copy_time(folder: &Path) -> Duration {
    let (from, to) = (folder.join("original"), folder.join("copy"));
    std::fs::write(&from, vec![7; LARGE]).expect("room on the disk");
    let mut times: Vec<_> = (0..3)
        .map(|_| {
            _ = std::fs::remove_file(&to);
            let begun = Instant::now();
            std::fs::copy(&from, &to).expect("room on the disk");
            begun.elapsed()
        })
        .collect();
    _ = std::fs::remove_file(from);
    _ = std::fs::remove_file(to);
    median(&mut times)
}

/// The times of an upload and a download of a large file, and the growth of the server in this
/// time, in MiB.
pub async fn move_large_file(server: &Process) -> (Duration, Duration, f64) {
    let mut client = Client::connect(&server.address).await;
    upload(&server.address, "vision", "warm.bin", &[vec![7; PIECE]]).await;
    let before = server.peak_mib();
    let piece = vec![7; PIECE];
    let pieces: Vec<_> = (0..LARGE / PIECE).map(|_| piece.as_slice()).collect();
    let begun = Instant::now();
    let id = upload(&server.address, "vision", "large.bin", &pieces).await;
    let up = begun.elapsed();
    let begun = Instant::now();
    let bytes = download(&server.address, &format!("/v1/files/{id}/content")).await;
    let down = begun.elapsed();
    assert!(bytes >= LARGE, "the whole file comes down");
    let grown = server.peak_mib() - before;
    client.delete(&format!("/v1/files/{id}")).await;
    (up, down, grown)
}

/// Uploads a file from pieces, and returns its id.
async fn upload(
    address: &str,
    purpose: &str,
    filename: &str,
    pieces: &[impl AsRef<[u8]>],
) -> String {
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; \
         name=\"purpose\"\r\n\r\n{purpose}\r\n--XX\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"{filename}\"\r\n\r\n"
    );
    let tail = "\r\n--XX--\r\n";
    let length =
        head.len() + pieces.iter().map(|piece| piece.as_ref().len()).sum::<usize>() + tail.len();
    let request = format!(
        "POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \
         sk-bench\r\nConnection: close\r\nContent-Type: multipart/form-data; \
         boundary=XX\r\nContent-Length: {length}\r\n\r\n{head}"
    );
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    for piece in pieces {
        stream.write_all(piece.as_ref()).await.expect("it reads on");
    }
    stream.write_all(tail.as_bytes()).await.expect("it reads to the end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    field(body.as_bytes(), "id")
}

async fn download(address: &str, path: &str) -> usize {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sk-bench\r\nConnection: \
         close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let (mut buffer, mut read) = (vec![0; PIECE], 0);
    loop {
        match stream.read(&mut buffer).await.expect("the content") {
            0 => return read,
            more => read += more,
        }
    }
}

/// Words with natural frequencies: the n-th most common word is 1/n times as frequent as the first.
pub struct Writer {
    state: u64,
    /// The sum of the frequencies up to each word.
    frequencies: Vec<f64>,
}

const WORDS: usize = 30_000;

/// The most common words, as in English.
const COMMON: [&str; 158] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by",
    "on", "not", "he", "this", "are", "or", "his", "from", "at", "which", "but", "have", "an",
    "had", "they", "you", "were", "there", "one", "all", "we", "can", "her", "has", "their",
    "been", "if", "more", "when", "will", "would", "who", "so", "no", "she", "other", "its", "may",
    "these", "what", "them", "than", "some", "him", "time", "into", "only", "could", "new", "then",
    "do", "two", "first", "any", "my", "now", "such", "like", "our", "over", "man", "me", "even",
    "most", "made", "after", "also", "did", "many", "off", "before", "must", "well", "back",
    "through", "years", "much", "where", "your", "way", "down", "should", "because", "long",
    "each", "just", "state", "those", "people", "too", "little", "world", "good", "very", "make",
    "year", "still", "see", "own", "work", "men", "day", "get", "here", "between", "both", "life",
    "being", "under", "three", "never", "know", "same", "last", "another", "while", "us", "might",
    "great", "place", "customer", "refund", "policy", "service", "product", "order", "delivery",
    "account", "payment", "support", "system", "company", "report", "project", "manager",
    "question", "answer", "number", "process", "country", "water", "history", "market", "office",
];

impl Writer {
    pub fn new() -> Self {
        let mut sum = 0.0;
        let frequencies = (1..=WORDS).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { state: 42, frequencies: frequencies.collect() }
    }

    fn chance(&mut self) -> f64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A word, and its rank: 0 is the most common word.
    fn word(&mut self) -> (usize, String) {
        let at = self.chance() * self.frequencies[WORDS - 1];
        let rank = self.frequencies.partition_point(|sum| *sum < at).min(WORDS - 1);
        if let Some(word) = COMMON.get(rank) {
            return (rank, (*word).to_owned());
        }
        // Rarer words are composed of syllables.
        let (mut word, mut left) = (String::new(), rank);
        loop {
            word.push(char::from(b"bdfgklmnprstvz"[left % 14]));
            word.push(char::from(b"aeiou"[left / 14 % 5]));
            left /= 70;
            if left == 0 {
                return (rank, word);
            }
        }
    }

    pub fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 16);
        let mut words = 0;
        while text.len() < bytes {
            words += 1;
            text += &self.word().1;
            text.push_str(if words % 12 == 0 { ".\n" } else { " " });
        }
        text
    }

    /// Three words, without the most common ones.
    fn query(&mut self) -> String {
        let mut words = Vec::new();
        while words.len() < 3 {
            let (rank, word) = self.word();
            if rank >= 20 {
                words.push(word);
            }
        }
        words.join(" ")
    }
}

/// The time until texts are searchable, and their store.
pub async fn index(server: &Process, texts: &[String], chunking: &Value) -> (Duration, String) {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(upload(&server.address, "assistants", "text.txt", &[text.as_bytes()]).await);
    }
    let mut client = Client::connect(&server.address).await;
    let begun = Instant::now();
    let store = client
        .create("/v1/vector_stores", &json!({"file_ids": ids, "chunking_strategy": chunking}))
        .await;
    while field(&client.get(&format!("/v1/vector_stores/{store}")).await, "status") != "completed" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (begun.elapsed(), store)
}

/// The chunking strategy for small chunks.
pub const SMALL_CHUNKS: &str =
    r#"{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}"#;

/// The median time of searches in a store.
pub async fn search_time(server: &Process, store: &str, writer: &mut Writer) -> Duration {
    let mut client = Client::connect(&server.address).await;
    let path = format!("/v1/vector_stores/{store}/search");
    let mut times = Vec::new();
    for round in 0..220 {
        let query = json!({"query": writer.query()});
        let begun = Instant::now();
        client.post(&path, &query).await;
        if round >= 20 {
            times.push(begun.elapsed());
        }
    }
    median(&mut times)
}
