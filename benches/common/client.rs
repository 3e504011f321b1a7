//! A client with little overhead: one connection, one request at a time, JSON out and bytes in.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    /// The API version of its requests. `None` for requests that need no version.
    pub beta: Option<&'static str>,
}

impl Client {
    pub async fn connect(address: &str) -> Self {
        Self::on(TcpStream::connect(address).await.expect("the server listens")).await
    }

    async fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP option");
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP");
        tokio::spawn(connection);
        Self { sender, beta: Some("assistants=v2") }
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Response<Incoming> {
        let response = self.try_send(method, path, body).await.expect("an answer");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response
    }

    /// A response with any status. It fails only if the connection breaks off.
    pub async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1")
            .header("authorization", "Bearer sk-bench")
            .header("content-type", "application/json");
        if let Some(beta) = self.beta {
            request = request.header("openai-beta", beta);
        }
        let request = request.body(Full::new(body)).expect("a request");
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    pub async fn get(&mut self, path: &str) -> Bytes {
        read(self.send(Method::GET, path, Bytes::new()).await).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Bytes {
        read(self.send(Method::POST, path, Bytes::from(body.to_string())).await).await
    }

    /// Reads a response to its end, and returns the arrival time of the bytes `sought`.
    pub async fn until(&mut self, path: &str, body: &Value, sought: &[u8]) -> Instant {
        let mut body =
            self.send(Method::POST, path, Bytes::from(body.to_string())).await.into_body();
        let mut found = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("a whole body").into_data().unwrap_or_default();
            if found.is_none() && frame.windows(sought.len()).any(|window| window == sought) {
                found = Some(Instant::now());
            }
        }
        found.expect("what is sought")
    }

    pub async fn delete(&mut self, path: &str) {
        self.send(Method::DELETE, path, Bytes::new()).await;
    }

    /// Creates an object and returns its id.
    pub async fn create(&mut self, path: &str, body: &Value) -> String {
        field(&self.post(path, body).await, "id")
    }

    /// Creates an assistant for the measurement.
    pub async fn assistant(&mut self) -> String {
        self.create("/v1/assistants", &json!({"model": "gpt-4o", "instructions": "Be brief."}))
            .await
    }
}

pub async fn read(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.expect("a whole body").to_bytes()
}

/// The text of a top-level field of a response.
pub fn field(body: &[u8], name: &str) -> String {
    let value: Value = serde_json::from_slice(body).expect("JSON");
    value[name].as_str().unwrap_or_default().to_owned()
}
