//! The container image in a real Docker, with the built program: a read-only root, a health check,
//! a compose file, a data volume. Without a Docker daemon, the tests print a line and are skipped.
//!
//! The last stage of the Dockerfile and the script that collects its files make the image, so both
//! are tested. `docker build .` tests the first stage.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use regex::Regex;
use serde_json::{Value, json};

use crate::{
    clients::{install, once, succeed},
    go_and_java, guides,
    running::{KEY, installed, root},
    skipped::{Remedy, skip},
};

/// The user that runs the server in the image, as in the documents.
const USER: &str = "65532";

/// The image, if there is a Docker daemon.
static IMAGE: LazyLock<Option<&str>> = LazyLock::new(|| {
    let version = docker(&["version", "--format", "{{.Server.Version}}"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip("the container image: no Docker daemon answers", Remedy::None);
        return None;
    }
    let context = installed().join("image");
    _ = fs::remove_dir_all(&context);
    fs::create_dir_all(&context).expect("a folder below target");
    let collect = root().join("deploy/image.sh");
    succeed(Command::new(collect).arg(env!("CARGO_BIN_EXE_rehearsal")).arg(context.join("image")));
    fs::write(context.join("Dockerfile"), last_stage()).expect("a Dockerfile");
    const NAME: &str = "rehearsal-under-test";
    succeed(docker(&["build", "--quiet", "--tag", NAME]).arg(&context));
    Some(NAME)
});

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    // Without the newer builder, which is not always available.
    command.args(arguments).env("DOCKER_BUILDKIT", "0");
    command
}

/// The last stage of the Dockerfile, with its files in the same folder.
fn last_stage() -> String {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).expect("the Dockerfile");
    let start = dockerfile.find("FROM scratch").expect("its last stage");
    let copies = Regex::new(r"--from=build (--chown=\S+ )?/image").unwrap();
    copies.replace_all(&dockerfile[start..], "${1}image").into_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("docker");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}\n{said}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A container that is removed with the test.
struct Container(String);

impl Container {
    /// Starts it with a read-only root, as recommended.
    fn run(image: &str, arguments: &[&str]) -> Self {
        let run =
            ["run", "--detach", "--read-only", "--cap-drop", "ALL", "--publish", "127.0.0.1::7357"];
        Self(output(docker(&run).args(arguments).arg(image)))
    }

    /// Waits until Docker reports it as healthy.
    fn wait(&self) {
        let filters = [
            "--filter",
            "event=health_status",
            "--filter",
            "event=die",
            "--since",
            "0",
            "--format",
            "{{.Status}}",
        ];
        let mut events = docker(&["events"]);
        events
            .args(filters)
            .arg("--filter")
            .arg(format!("container={}", self.0))
            .stdout(Stdio::piped());
        let mut events = events.spawn().expect("docker");
        let lines = BufReader::new(events.stdout.take().expect("its output")).lines();
        let status = lines.map(|line| line.expect("a line")).next();
        _ = events.kill();
        _ = events.wait();
        assert!(status.is_some_and(|line| line.ends_with(": healthy")), "{}", self.logs());
    }

    fn logs(&self) -> String {
        let output = docker(&["logs", &self.0]).output().expect("docker");
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    /// Stops it within a second. Otherwise Docker kills it, which the exit code shows.
    fn stop(self) {
        output(&mut docker(&["stop", "--time", "1", &self.0]));
        let code = output(&mut docker(&["inspect", "--format", "{{.State.ExitCode}}", &self.0]));
        assert_eq!(code, "0", "{}", self.logs());
    }

    async fn send(
        &self,
        request: impl FnOnce(&reqwest::Client, String) -> reqwest::RequestBuilder,
    ) -> Value {
        let address = output(&mut docker(&["port", &self.0, "7357/tcp"]));
        let address = address.lines().next().expect("an address").to_owned();
        rehearsal::internals::prepare_tls();
        let request = request(&reqwest::Client::new(), format!("http://{address}/v1"));
        let response = request
            .bearer_auth(KEY)
            .header("openai-beta", "assistants=v2")
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a text");
        assert!(status.is_success(), "{status}: {text}\n{}", self.logs());
        serde_json::from_str(&text).expect("JSON")
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(|client, base| client.post(base + path).json(&body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.send(|client, base| client.get(base + path)).await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        _ = docker(&["rm", "--force", "--volumes", &self.0]).output();
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn it_answers_from_its_fixtures_with_a_root_that_cannot_be_written() {
    let Some(image) = *IMAGE else { return };
    let fixtures = tempfile::tempdir().unwrap();
    let reply =
        "replies:\n  - when: {message: Hello}\n    steps: [{message: Hello from the container.}]\n";
    fs::write(fixtures.path().join("hello.yaml"), reply).unwrap();
    readable(fixtures.path());
    let container = Container::run(
        image,
        &["--volume", &format!("{}:/rehearsal/fixtures:ro", fixtures.path().display())],
    );
    container.wait();
    let assistant = container.post("/assistants", json!({"model": "gpt-4o"})).await;
    let thread = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let run = container
        .post("/threads/runs", json!({"assistant_id": assistant["id"], "thread": thread}))
        .await;
    let path = format!("/threads/{}", run["thread_id"].as_str().unwrap());
    let mut run = run;
    while run["status"] == "queued" || run["status"] == "in_progress" {
        run = container.get(&format!("{path}/runs/{}", id(&run))).await;
    }
    let messages = container.get(&format!("{path}/messages")).await;
    assert_eq!(messages["data"][0]["content"][0]["text"]["value"], "Hello from the container.");
    // A separate process extracts the text of a document, and needs a place for its content.
    let pdf = fs::read(root().join("docs/policy.pdf")).unwrap();
    let file = reqwest::multipart::Part::bytes(pdf).file_name("policy.pdf");
    let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", file);
    let file = container.send(|client, base| client.post(base + "/files").multipart(form)).await;
    let store = container.post("/vector_stores", json!({"file_ids": [file["id"]]})).await;
    let found = container
        .post(&format!("/vector_stores/{}/search", id(&store)), json!({"query": "refunds"}))
        .await;
    assert_eq!(found["data"][0]["filename"], "policy.pdf", "{}", container.logs());
    container.stop();
}

/// Makes a folder of a test readable for the user of the image.
fn readable(folder: &Path) {
    output(Command::new("chmod").args(["-R", "a+rX"]).arg(folder));
}

#[tokio::test]
async fn a_volume_keeps_the_database_and_one_that_cannot_be_written_is_said_to_be_so() {
    let Some(image) = *IMAGE else { return };
    let folder = tempfile::tempdir().unwrap();
    output(Command::new("chown").arg(USER).arg(folder.path()));
    let named = output(&mut docker(&["volume", "create"]));
    for volume in [folder.path().to_str().unwrap(), named.as_str()] {
        let volume = format!("{volume}:/data");
        let first = Container::run(image, &["--volume", &volume]);
        first.wait();
        let assistant = first.post("/assistants", json!({"model": "gpt-4o", "name": "Kept"})).await;
        first.stop();
        let second = Container::run(image, &["--volume", &volume]);
        second.wait();
        let found = second.get(&format!("/assistants/{}", id(&assistant))).await;
        assert_eq!(found["name"], "Kept");
        second.stop();
    }
    output(&mut docker(&["volume", "rm", "--force", &named]));
    assert!(folder.path().join("rehearsal.db").is_file());

    let foreign = tempfile::tempdir().unwrap();
    output(Command::new("chmod").arg("750").arg(foreign.path()));
    let refused =
        docker(&["run", "--rm", "--volume", &format!("{}:/data", foreign.path().display()), image])
            .output()
            .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("cannot write to the volume /data: Permission denied"), "{said}");
    assert!(
        said.contains(&format!(
            "It belongs to user 0 and group 0 with mode 750, but the server runs as user {USER}"
        )),
        "{said}"
    );
    // The volume does not change the place of a named database.
    let elsewhere =
        docker(&["run", "--rm", "--volume", &format!("{}:/data", foreign.path().display()), image])
            .args(["--database", "/nowhere/r.db"])
            .output()
            .unwrap();
    assert!(
        String::from_utf8_lossy(&elsewhere.stderr)
            .contains("cannot open the database /nowhere/r.db")
    );
}

/// Compose as its own command, or as a command of Docker.
fn compose() -> Option<Command> {
    let own = Command::new("docker-compose")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success());
    let of_docker =
        || docker(&["compose", "version"]).output().is_ok_and(|output| output.status.success());
    if own {
        Some(Command::new("docker-compose"))
    } else if of_docker() {
        Some(docker(&["compose"]))
    } else {
        skip("the compose file: there is no docker-compose", Remedy::Install);
        None
    }
}

/// The compose file in the documents, with replacements for the checkouts of its reader.
fn compose_file(image: &str, tests: &str) -> String {
    let document = fs::read_to_string(root().join("docs/ci.md")).expect("the document");
    let start = document.find("# docker-compose.yml").expect("a compose file");
    let text = &document[start..];
    let text = &text[..text.find("```").expect("its end")];
    let fixtures = format!("\"{}:", root().join("fixtures").display());
    let changed = text
        .replacen("build: ./rehearsal", &format!("image: {image}"), 1)
        .replacen("build: .", tests, 1)
        .replacen("\"./fixtures:", &fixtures, 1);
    assert!(
        changed.contains(image) && changed.contains(tests) && changed.contains(&fixtures),
        "{changed}"
    );
    changed
}

#[test]
fn a_compose_file_waits_for_its_health_and_finds_it_by_name() {
    let (Some(image), Some(mut compose)) = (*IMAGE, compose()) else { return };
    let folder = tempfile::tempdir().unwrap();
    // A client without dependencies holds a conversation. If it cannot be built, the program checks
    // the health.
    let tests = match go_and_java::build("community", &[]) {
        Some(program) => {
            fs::copy(program, folder.path().join("conversation")).unwrap();
            fs::write(
                folder.path().join("Dockerfile"),
                "FROM scratch\nCOPY conversation /\nENTRYPOINT [\"/conversation\"]\n",
            )
            .unwrap();
            "build: .".to_owned()
        }
        None => format!("image: {image}\n    command: [health, \"http://rehearsal:7357\"]"),
    };
    let file: PathBuf = folder.path().join("docker-compose.yml");
    fs::write(&file, compose_file(image, &tests)).unwrap();
    compose
        .arg("--file")
        .arg(&file)
        .args(["--project-name", "rehearsal-under-test"])
        .env("DOCKER_BUILDKIT", "0");
    let mut up = Command::new(compose.get_program());
    let mut down = Command::new(compose.get_program());
    for command in [&mut up, &mut down] {
        command
            .args(compose.get_args())
            .env("DOCKER_BUILDKIT", "0")
            .env("COMPOSE_DOCKER_CLI_BUILD", "0");
    }
    let held = up
        .args(["up", "--build", "--abort-on-container-exit", "--exit-code-from", "tests"])
        .output()
        .unwrap();
    let removed = down.args(["down", "--volumes"]).output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&held.stdout),
        String::from_utf8_lossy(&held.stderr)
    );
    assert!(held.status.success() && removed.status.success(), "{said}");
}

/// Testcontainers is installed only if it is usable: it needs the daemon.
#[test]
fn the_recipes_for_testcontainers_run_as_they_are_printed() {
    let Some(image) = *IMAGE else { return };
    output(&mut docker(&["tag", image, "rehearsal"]));
    let recipes: Vec<_> = guides::blocks("docs/ci.md")
        .into_iter()
        .filter(|(_, text)| text.contains("testcontainers"))
        .collect();
    let languages: Vec<_> = recipes.iter().map(|(language, _)| language.as_str()).collect();
    assert_eq!(languages, ["python", "js"]);
    let folder = installed().join("testcontainers");
    once(&folder, "testcontainers 11", || {
        install(Command::new("python3").args(["-m", "venv"]).arg(folder.join("python")));
        install(Command::new(folder.join("python/bin/pip")).args([
            "install",
            "--quiet",
            "testcontainers",
            "openai",
        ]));
        // Newer versions need a newer Node than these tests.
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "testcontainers@11", "openai"];
        install(Command::new("npm").args(npm).arg("--prefix").arg(&folder));
    });
    fs::write(folder.join("recipe.py"), &recipes[0].1).unwrap();
    fs::write(folder.join("recipe.mjs"), &recipes[1].1).unwrap();
    // Its reaper is an image from a registry, which a test must not need.
    const NO_REAPER: (&str, &str) = ("TESTCONTAINERS_RYUK_DISABLED", "true");
    let python = folder.join("python/bin/python");
    for (program, recipe) in [(python.as_path(), "recipe.py"), (Path::new("node"), "recipe.mjs")] {
        succeed(Command::new(program).arg(folder.join(recipe)).env(NO_REAPER.0, NO_REAPER.1));
    }
}
