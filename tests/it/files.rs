//! Files: a download returns the upload, and the server rejects what the service rejected.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::json;

use crate::server::{START, TestServer, config};

#[tokio::test]
async fn a_file_has_the_recorded_keys_and_a_newline_behind_it() {
    let server = TestServer::start().await;
    let file = server.upload("assistants", "notes.txt", "Hello").await;
    let expected = json!({
        "object": "file", "id": file.id(), "purpose": "assistants", "filename": "notes.txt",
        "bytes": 5, "created_at": START,
        "expires_at": null, "status": "processed", "status_details": null
    });
    assert_eq!(file.text, format!("{expected:#}\n"));
    let id = file.id();
    assert_eq!((id.len(), id.starts_with("file-")), ("file-".len() + 22, true));
    assert_eq!(server.get(&format!("/v1/files/{id}")).await.text, file.text);
    let deleted = server.delete(&format!("/v1/files/{id}")).await;
    assert_eq!(
        deleted.body.to_string(),
        json!({"object": "file", "deleted": true, "id": id}).to_string()
    );
    let gone = server.get(&format!("/v1/files/{id}")).await;
    assert_eq!(gone.refusal(), format!("404 No such File object: {id} [\"id\" null]"));
    assert!(gone.text.ends_with("}\n"));
}

#[tokio::test]
async fn every_purpose_is_taken_and_only_some_are_handed_out_again() {
    let server = TestServer::start().await;
    for purpose in ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] {
        let file = server.upload(purpose, "data.json", r#"{"a": 1}"#).await;
        assert_eq!(file.body["purpose"], purpose);
        let content = server.get(&format!("/v1/files/{}/content", file.id())).await;
        if matches!(purpose, "assistants" | "user_data") {
            let refusal =
                format!("400 Not allowed to download files of purpose: {purpose} [null null]");
            assert_eq!(content.refusal(), refusal);
        } else {
            assert_eq!(content.text, r#"{"a": 1}"#);
            assert_eq!(content.headers["content-type"], "application/octet-stream");
            assert_eq!(
                content.headers["content-disposition"],
                "attachment; filename=\"data.json\""
            );
            assert_eq!(content.headers["content-length"], "8");
        }
    }
    let listed = server.get("/v1/files?purpose=vision").await.body;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let keys: Vec<_> = listed.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["object", "data", "has_more", "first_id", "last_id"]);
}

#[tokio::test]
async fn pages_of_files_go_on_behind_a_file() {
    let server = TestServer::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(server.document(&format!("{number}.txt"), "x").await);
    }
    let page = async |query: String| {
        let list = server.get(&format!("/v1/files?{query}")).await.body;
        let data = list["data"].as_array().unwrap().iter();
        (
            data.map(|file| file["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            list["has_more"] == true,
        )
    };
    assert_eq!(page("order=asc".to_owned()).await, (ids.clone(), false));
    assert_eq!(page("order=asc&limit=2".to_owned()).await, (ids[..2].to_vec(), true));
    assert_eq!(
        page(format!("order=asc&limit=3&after={}", ids[1])).await,
        (ids[2..].to_vec(), false)
    );
    assert_eq!(page("limit=1".to_owned()).await, (ids[4..].to_vec(), true));
    let refused = server.get("/v1/files?limit=10001").await;
    assert!(
        refused.refusal().contains("Expected a value <= 10000, but got 10001"),
        "{}",
        refused.text
    );
    assert_eq!(
        server.get("/v1/files?after=file-x").await.refusal(),
        "404 No such File object: file-x [\"id\" null]"
    );
}

#[tokio::test]
async fn what_the_service_refused_is_refused() {
    let server = TestServer::start().await;
    let upload = async |purpose: &str, filename: &str, content: &str| {
        server.upload(purpose, filename, content.to_owned()).await.refusal()
    };
    assert_eq!(
        upload("world_domination", "a.txt", "x").await,
        "400 'world_domination' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', \
         'vision', 'evals'] - 'purpose' [\"purpose\" null]"
    );
    let supported = r#"Supported formats: "c", "cpp", "css", "csv", "doc", "docx", "gif", "go", "html", "java", "jpeg", "jpg", "js", "json", "md", "pdf", "php", "pkl", "png", "pptx", "py", "rb", "tar", "tex", "ts", "txt", "webp", "xlsx", "xml", "zip""#;
    assert_eq!(
        upload("assistants", "a.DOCX", "x").await,
        format!("400 Invalid extension DOCX. {supported} [null null]")
    );
    assert_eq!(upload("assistants", "a.txt", "").await, "400 File is empty. [\"file\" null]");
    let send = async |form: Form| {
        server.send(server.request(Method::POST, "/v1/files").multipart(form)).await.refusal()
    };
    let file = || Part::bytes(b"x".to_vec()).file_name("a.txt");
    assert_eq!(
        send(Form::new().part("file", file())).await,
        "400 'purpose' is a required property [\"purpose\" null]"
    );
    assert_eq!(
        send(Form::new().text("purpose", "batch")).await,
        "400 'file' is a required property [\"file\" null]"
    );
    let unknown = Form::new().text("purpose", "batch").text("colour", "red").part("file", file());
    assert_eq!(
        send(unknown).await,
        "400 Unknown parameter: 'colour'. [\"colour\" \"unknown_parameter\"]"
    );
    let json = server.post("/v1/files", json!({"purpose": "batch"})).await;
    assert!(json.refusal().starts_with(
        "400 Invalid Content-Type header (application/json), expected multipart/form-data."
    ));
    assert_eq!(
        server.get("/v1/files").await.body["data"],
        json!([]),
        "nothing of all this was kept"
    );
}

#[tokio::test]
async fn a_file_goes_when_it_has_expired() {
    let server = TestServer::start().await;
    let form = |seconds: &str| {
        let file = Part::bytes(b"x".to_vec()).file_name("a.txt");
        let form = Form::new().text("purpose", "user_data").part("file", file);
        form.text("expires_after[anchor]", "created_at")
            .text("expires_after[seconds]", seconds.to_owned())
    };
    let send = async |seconds: &str| {
        server.send(server.request(Method::POST, "/v1/files").multipart(form(seconds))).await
    };
    let file = send("3600").await;
    assert_eq!(file.body["expires_at"], START + 3600);
    assert_eq!(
        send("3599").await.refusal(),
        "400 Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= \
         3600, but got 3599 instead. [\"expires_after.seconds\" \"integer_below_min_value\"]"
    );
    let path = format!("/v1/files/{}", file.id());
    server.advance(std::time::Duration::from_secs(3599)).await;
    assert_eq!(server.get(&path).await.status.as_u16(), 200);
    server.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(server.get(&path).await.status.as_u16(), 404);
}

#[tokio::test]
async fn the_name_of_a_file_is_data_and_never_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::with(rehearsal::Config { database: Some(database), ..config() }).await;
    for name in [
        "../../etc/passwd",
        "..\\..\\win.ini",
        "/etc/shadow",
        "a\"b.json",
        "имя файла.json",
        ".",
        "con",
    ] {
        let file = server.upload("vision", name, "x").await;
        assert_eq!(file.body["filename"], name, "it is shown as it came");
        let content = server.get(&format!("/v1/files/{}/content", file.id())).await;
        let disposition = content.headers["content-disposition"].to_str().unwrap().to_owned();
        assert!(!disposition.contains('/') && !disposition.contains('\\'), "{disposition}");
        assert_eq!(content.text, "x");
    }
    let stored = std::fs::read_dir(folder.path().join("r.db-files")).unwrap();
    let names = stored
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "lock");
    let names: Vec<_> = names.collect();
    assert_eq!(names.len(), 7);
    assert!(
        names
            .iter()
            .all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_deleted_file_leaves_stores_lists_and_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::with(rehearsal::Config { database: Some(database), ..config() }).await;
    let (gone, stays) =
        (server.document("a.txt", "apples").await, server.document("b.txt", "pears").await);
    let store = server.store(&[&gone, &stays]).await;
    let resources = json!({"code_interpreter": {"file_ids": [gone, stays]}});
    let assistant = json!({"model": "gpt-4o", "tools": [{"type": "code_interpreter"}],
        "tool_resources": resources});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let thread = server.post("/v1/threads", json!({ "tool_resources": resources })).await.id();
    let later = server.post("/v1/threads", json!({})).await.id();
    server.post(&format!("/v1/threads/{later}"), json!({ "tool_resources": resources })).await;

    server.delete(&format!("/v1/files/{gone}")).await;

    for path in [
        format!("/v1/assistants/{assistant}"),
        format!("/v1/threads/{thread}"),
        format!("/v1/threads/{later}"),
    ] {
        let shown = server.get(&path).await.body;
        assert_eq!(
            shown["tool_resources"]["code_interpreter"]["file_ids"],
            json!([stays]),
            "{path}"
        );
    }
    let counts = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(
        (&counts["file_counts"]["total"], &counts["usage_bytes"]),
        (&json!(1), &json!(1024 + 5))
    );
    assert!(server.search(&store, json!("apples")).await.is_empty());
    assert_eq!(server.search(&store, json!("pears")).await.len(), 1);
    assert_eq!(crate::server::blobs(folder.path()), 1);
}

#[tokio::test]
async fn contents_survive_a_restart_and_strays_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let config = || rehearsal::Config { database: Some(database.clone()), ..config() };
    let server = TestServer::with(config()).await;
    let file = server.upload("vision", "a.png", vec![7; 3 << 20]).await.id();
    server.stop().await;
    let stray = folder.path().join("r.db-files").join("0123456789abcdef0123456789abcdef");
    std::fs::write(&stray, "what a crash left behind").unwrap();
    let foreign = folder.path().join("r.db-files").join("notes.txt");
    std::fs::write(&foreign, "somebody else's").unwrap();
    let server = TestServer::with(config()).await;
    let content = server.get(&format!("/v1/files/{file}/content")).await;
    assert_eq!(content.text.len(), 3 << 20);
    assert!(!stray.exists() && foreign.exists());
}
