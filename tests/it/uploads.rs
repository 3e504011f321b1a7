//! Uploads in parts.

use std::time::Duration;

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::server::{Answer, START, TestServer, config};

async fn begin(server: &TestServer, bytes: usize) -> String {
    let new = json!({"filename": "big.txt", "purpose": "assistants", "bytes": bytes,
        "mime_type": "text/plain"});
    server.post("/v1/uploads", new).await.id()
}

async fn part(server: &TestServer, upload: &str, data: &[u8]) -> Answer {
    let form = Form::new().part("data", Part::bytes(data.to_vec()).file_name("blob"));
    server
        .send(server.request(Method::POST, &format!("/v1/uploads/{upload}/parts")).multipart(form))
        .await
}

async fn complete(server: &TestServer, upload: &str, body: Value) -> Answer {
    server.post(&format!("/v1/uploads/{upload}/complete"), body).await
}

#[tokio::test]
async fn parts_become_a_file_in_the_order_asked_for() {
    let server = TestServer::start().await;
    let new =
        json!({"filename": "big.txt", "purpose": "vision", "bytes": 11, "mime_type": "text/plain"});
    let upload = server.post("/v1/uploads", new).await;
    let id = upload.id();
    let shown = |status: &str| {
        json!({
            "id": id, "object": "upload", "bytes": 11, "created_at": START, "filename": "big.txt",
            "purpose": "vision",
            "status": status, "expires_at": START + 3600
        })
    };
    assert_eq!(upload.text, format!("{:#}\n", shown("pending")));
    let second = part(&server, &id, b"world").await;
    let expected =
        json!({"id": second.id(), "object": "upload.part", "created_at": START, "upload_id": id});
    assert_eq!(second.text, format!("{expected:#}\n"));
    let first = part(&server, &id, b"Hello ").await.id();
    server.advance(Duration::from_secs(60)).await;
    let md5 = "3E25960A79DBC69B674CD4EC67A72C62";
    let done = complete(&server, &id, json!({"part_ids": [first, second.id()], "md5": md5})).await;
    let mut expected = shown("completed");
    let file = done.body["file"].clone();
    expected["file"] = file.clone();
    assert_eq!(done.body.to_string(), expected.to_string());
    assert_eq!(
        (&file["created_at"], &file["bytes"], &file["filename"]),
        (&json!(START), &json!(11), &json!("big.txt"))
    );
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.body, file);
    assert_eq!(server.get(&format!("{path}/content")).await.text, "Hello world");
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_and_can_be_mended() {
    let server = TestServer::start().await;
    let (upload, other) = (begin(&server, 4).await, begin(&server, 4).await);
    let mine = part(&server, &upload, b"abcd").await.id();
    let foreign = part(&server, &other, b"abcd").await.id();
    assert_eq!(
        complete(&server, &upload, json!({"part_ids": [foreign]})).await.refusal(),
        format!("400 Part '{foreign}' does not belong to upload '{upload}'. [\"part_ids\" null]")
    );
    assert_eq!(
        complete(&server, &upload, json!({"part_ids": []})).await.refusal(),
        "400 The parts add up to 0 bytes, but the upload was created for 4 bytes. [null null]"
    );
    let wrong =
        complete(&server, &upload, json!({"part_ids": [mine], "md5": "00"})).await.refusal();
    assert!(
        wrong.starts_with(
            "400 The md5 checksum of the uploaded bytes is 'e2fc714c4727ee9395f324cd2e7f331f'"
        ),
        "{wrong}"
    );
    assert_eq!(
        complete(&server, &upload, json!({"part_ids": [mine]})).await.body["status"],
        "completed"
    );
    let late = part(&server, &upload, b"x").await.refusal();
    assert_eq!(
        late,
        format!(
            "400 Upload '{upload}' takes no more changes: its status is 'completed'. [null null]"
        )
    );
    let again = complete(&server, &upload, json!({"part_ids": [mine]})).await.refusal();
    assert_eq!(
        again,
        format!(
            "400 Upload '{upload}' takes no more changes: its status is 'completed'. [null null]"
        )
    );
    assert_eq!(server.get("/v1/files").await.body["data"].as_array().unwrap().len(), 1);
    let nobody = server.post("/v1/uploads/upload_x/cancel", json!({})).await.refusal();
    assert_eq!(nobody, "404 No upload found with id 'upload_x'. [null null]");
    let new = json!({"filename": "a.exe", "purpose": "assistants", "bytes": 1, "mime_type": "x"});
    assert!(
        server.post("/v1/uploads", new).await.refusal().starts_with("400 Invalid extension exe.")
    );
    let new = json!({"filename": "a.txt", "purpose": "batch", "bytes": 8_589_934_593_i64,
        "mime_type": "x"});
    assert!(
        server.post("/v1/uploads", new).await.refusal().contains("Expected a value <= 8589934592")
    );
}

#[tokio::test]
async fn a_part_that_is_too_large_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::with(rehearsal::Config { database: Some(database), ..config() }).await;
    let upload = begin(&server, 1).await;
    let refused = part(&server, &upload, &vec![0; (64 << 20) + 1]).await;
    assert_eq!(
        refused.refusal(),
        "413 Maximum content size limit (67108864) exceeded (67108865 bytes read) [null null]"
    );
    assert_eq!(crate::server::blobs(folder.path()), 0);
}

#[tokio::test]
async fn cancelled_and_expired_uploads_give_their_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::with(rehearsal::Config { database: Some(database), ..config() }).await;
    let blobs = || crate::server::blobs(folder.path());
    let (cancelled, expired) = (begin(&server, 4).await, begin(&server, 4).await);
    part(&server, &cancelled, b"abcd").await;
    let stays = part(&server, &expired, b"abcd").await.id();
    assert_eq!(blobs(), 2);
    let answer = server.post(&format!("/v1/uploads/{cancelled}/cancel"), json!({})).await;
    assert_eq!((&answer.body["status"], blobs()), (&json!("cancelled"), 1));
    server.advance(Duration::from_secs(3600)).await;
    assert_eq!(blobs(), 0);
    let late = complete(&server, &expired, json!({"part_ids": [stays]})).await.refusal();
    assert_eq!(
        late,
        format!(
            "400 Upload '{expired}' takes no more changes: its status is 'expired'. [null null]"
        )
    );
}
