//! Malicious forms and documents: each fails alone, and leaves nothing behind.

use rehearsal::Config;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    documents::{pdf, zip},
    server::{TestServer, config},
};

/// Sends raw bytes, as far as the server accepts them. If `hangs_up`, it closes the sending side.
/// Then it reads the response.
async fn raw(server: &TestServer, request: &str, hangs_up: bool) -> String {
    let mut stream = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    _ = stream.write_all(request.as_bytes()).await;
    if hangs_up {
        _ = stream.shutdown().await;
    }
    let mut answer = String::new();
    _ = stream.read_to_string(&mut answer).await;
    answer
}

fn form(body: &str, length: usize) -> String {
    format!(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nConnection: \
         close\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    )
}

const FIELD: &str = "--XX\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n";

#[tokio::test]
async fn broken_forms_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::with(Config { database: Some(database), ..config() }).await;
    let file =
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello";
    let nameless =
        "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--XX--\r\n";
    let cut = format!("{FIELD}{file}");
    let whole = format!("{FIELD}{file}\r\n--XX--\r\n");
    for (what, request, said) in [
        ("cut off within the file", form(&cut, cut.len()), "Could not parse multipart form"),
        ("shorter than it says", form(&whole, whole.len() + 100), ""),
        ("longer than it says", form(&whole, whole.len() - 10), "Could not parse multipart form"),
        ("no boundary in it", form("hello", 5), "Could not parse multipart form"),
        (
            "no filename",
            form(&format!("{FIELD}{nameless}"), FIELD.len() + nameless.len()),
            "expected a file with a filename",
        ),
        (
            "no boundary named",
            form(&whole, whole.len()).replace("; boundary=XX", ""),
            "Invalid Content-Type header",
        ),
    ] {
        let answer = raw(&server, &request, said.is_empty()).await;
        assert!(
            said.is_empty() || answer.starts_with("HTTP/1.1 400 Bad Request"),
            "{what}: {answer}"
        );
        assert!(answer.contains(said), "{what}: {answer}");
    }
    assert_eq!(server.get("/v1/files").await.body["data"], json!([]));
    let left = crate::server::blobs(folder.path());
    assert_eq!(left, 0, "drafts are removed");
}

/// The result of a document in a store.
async fn fate(server: &TestServer, filename: &str, content: Vec<u8>) -> Value {
    let file = server.document(filename, content).await;
    let store = server.store(&[&file]).await;
    let shown = server.get(&format!("/v1/vector_stores/{store}/files/{file}")).await.body;
    json!([shown["status"], shown["last_error"]["code"], shown["last_error"]["message"]])
}

#[tokio::test]
async fn hostile_documents_fail_alone() {
    let server = TestServer::start().await;
    let broken = json!(["failed", "invalid_file", "The file could not be parsed."]);
    let too_large =
        json!(["failed", "invalid_file", "The file could not be parsed because it is too large."]);
    let bomb = zip(&[("word/document.xml", &format!("<w:t>{}</w:t>", " ".repeat(80 << 20)))]);
    assert!(bomb.len() < 1 << 20, "80 MB in {} bytes", bomb.len());
    assert_eq!(fate(&server, "bomb.docx", bomb).await, too_large);
    let mut cut = pdf("Hello");
    cut.truncate(200);
    for (filename, content) in [
        ("cut.pdf", cut),
        ("none.pdf", b"not a PDF".to_vec()),
        ("none.docx", b"not a ZIP".to_vec()),
        ("empty.docx", zip(&[("other.xml", "<a/>")])),
        ("broken.docx", zip(&[("word/document.xml", "<w:t>a</w:p>")])),
        ("empty.pptx", zip(&[("ppt/presentation.xml", "<a/>")])),
    ] {
        assert_eq!(fate(&server, filename, content).await, broken, "{filename}");
    }
    // A page tree that is its own child, and deeply nested markup: any damage stays in another
    // process.
    let cyclic = String::from_utf8_lossy(&pdf("Hello"))
        .replace("/Kids [3 0 R] /Count 1", "/Kids [2 0 R] /Count 1");
    let cyclic = fate(&server, "cyclic.pdf", cyclic.into_bytes()).await;
    assert!(cyclic[0] == "failed" || cyclic[0] == "completed", "{cyclic}");
    let deep =
        fate(&server, "deep.html", format!("{}hello", "<div>".repeat(2_000)).into_bytes()).await;
    assert!(deep[0] == "failed" || deep[0] == "completed", "{deep}");
    let nothing = json!(["failed", "unsupported_file", "The file type is not supported."]);
    assert_eq!(fate(&server, "old.doc", b"\xd0\xcf\x11\xe0".to_vec()).await, nothing);
    assert_eq!(fate(&server, "latin.txt", vec![b'a', 0xe9, b'b']).await, nothing);
    assert_eq!(fate(&server, "fine.txt", b"fine".to_vec()).await[0], "completed");
}

#[tokio::test]
async fn a_document_that_takes_too_long_is_given_up() {
    let extract_timeout = Some(std::time::Duration::from_millis(300));
    let server = TestServer::with(Config { extract_timeout, ..config() }).await;
    let endless = format!("{}hello", "<div>".repeat(1_000_000)).into_bytes();
    let in_time = json!(["failed", "invalid_file", "The file could not be parsed in time."]);
    assert_eq!(fate(&server, "endless.html", endless).await, in_time);
    assert_eq!(fate(&server, "fine.txt", b"fine".to_vec()).await[0], "completed");
}

#[tokio::test]
async fn a_text_of_more_than_five_million_tokens_is_too_large() {
    let server = TestServer::start().await;
    let text = "a b c d e f g h ".repeat(640_000);
    let too_large =
        json!(["failed", "invalid_file", "The file could not be parsed because it is too large."]);
    assert_eq!(fate(&server, "long.txt", text.into_bytes()).await, too_large);
}

#[tokio::test]
async fn endless_forms_are_rejected() {
    let server = TestServer::start().await;
    let endless =
        format!("--XX\r\nContent-Disposition: form-data; name=\"{}", "x".repeat(20 << 20));
    let fields: String = (0..5_000)
        .map(|number| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"f{number}\"\r\n\r\n\r\n")
        })
        .collect();
    for body in [endless, fields] {
        let answer = raw(&server, &form(&body, body.len()), false).await;
        assert!(answer.is_empty() || answer.contains("Could not parse multipart form"), "{answer}");
    }
    assert_eq!(server.get("/v1/files").await.body["data"], json!([]));
}

#[tokio::test]
async fn the_extended_form_of_a_filename_is_the_one_that_counts() {
    let server = TestServer::start().await;
    let file = "--XX\r\nContent-Disposition: form-data; name=\"file\"; \
                filename=\"=?utf-8?B?0YcudHh0?=\"; \
                filename*=utf-8''%D1%87%D0%B0%D0%B9.txt\r\n\r\nhello\r\n--XX--\r\n";
    let body = format!("{FIELD}{file}");
    let answer = raw(&server, &form(&body, body.len()), false).await;
    assert!(answer.contains("\"filename\": \"чай.txt\""), "{answer}");
}
