//! Every documented limit of the API, once. Lengths are counted in characters.
//!
//! Source: the OpenAPI document of Assistants v2 and OpenAI's published limits, unless a comment
//! says otherwise.

/// A run not finished so long after its creation expires. In every recorded run `expires_at` is
/// `created_at + 600`.
pub const RUN_LIFETIME: std::time::Duration = std::time::Duration::from_secs(600);

pub const NAME: usize = 256;
pub const DESCRIPTION: usize = 512;
pub const INSTRUCTIONS: usize = 256_000;
/// A message's text, as quoted by the service when it refused a longer one.
pub const MESSAGE_TEXT: usize = 256_000;
pub const ATTACHMENTS: usize = 10;
pub const ASSISTANT_TOOLS: usize = 128;
pub const RUN_TOOLS: usize = 20;
pub const FUNCTION_NAME: usize = 64;
/// As quoted by the service for `tools[n].function.description`.
pub const FUNCTION_DESCRIPTION: usize = 1024;
/// Files of an assistant and of a message under v1.
pub const ASSISTANT_FILES: usize = 20;
pub const MESSAGE_FILES: usize = 10;
pub const CODE_INTERPRETER_FILES: usize = 20;
pub const VECTOR_STORES: usize = 1;
pub const MAX_NUM_RESULTS: i64 = 50;
/// How many characters of a query are read, how many of its words, and how many queries a search
/// may have. Our own limits.
pub const QUERY: usize = 10_000;
pub const QUERY_WORDS: usize = 32;
pub const QUERIES: usize = 32;
/// How many results a search in a store has by default.
pub const SEARCH_RESULTS: i64 = 10;
/// How many results a file search has for models of no known family.
pub const TOOL_RESULTS: usize = 20;

/// The largest file, in bytes.
pub const FILE_BYTES: u64 = 536_870_912;
/// The largest text that is made searchable, and the largest document that is parsed for its text,
/// in bytes. Our own limits.
pub const TEXT: u64 = 64 << 20;
pub const DOCUMENT: u64 = 128 << 20;
/// Tokens that one file may bring into a vector store.
pub const FILE_TOKENS: usize = 5_000_000;
/// The lifetime that a request may set for a file, in seconds: an hour to 30 days.
pub const FILE_LIFETIME: (i64, i64) = (3_600, 2_592_000);
/// The largest upload in parts, and the largest part, in bytes.
pub const UPLOAD_BYTES: i64 = 8_589_934_592;
pub const PART_BYTES: u64 = 67_108_864;
/// An upload not completed so long after its creation expires: recorded.
pub const UPLOAD_LIFETIME: std::time::Duration = std::time::Duration::from_secs(3_600);
pub const FILE_PAGE: i64 = 10_000;

/// Minutes that a container lives without being used, at most, and the files that it is given.
pub const CONTAINER_MINUTES: i64 = 20;
pub const CONTAINER_FILES: usize = 50;

pub const STORE_CREATE_FILES: usize = 500;
pub const STORE_FILES: usize = 10_000;
pub const BATCH_FILES: usize = 2_000;
pub const STORE_LIFETIME_DAYS: i64 = 365;
pub const CHUNK_TOKENS: (i64, i64) = (100, 4_096);
/// The size of the index of a chunk beside its text, in bytes: 256 numbers of four bytes. Recorded:
/// a file of 21 bytes uses 1,045.
pub const CHUNK_OVERHEAD: usize = 1_024;

pub const METADATA_KEYS: usize = 16;
pub const METADATA_KEY: usize = 64;
pub const METADATA_VALUE: usize = 512;

pub const TEMPERATURE: f64 = 2.0;
pub const TOP_P: f64 = 1.0;
pub const SCORE_THRESHOLD: f64 = 1.0;

pub const PAGE_DEFAULT: i64 = 20;
pub const PAGE_MAX: i64 = 100;

/// The least `max_prompt_tokens`: documented.
pub const PROMPT_BUDGET: i64 = 256;
/// The least `max_completion_tokens`: recorded and reported, in spite of the documented 256.
pub const COMPLETION_BUDGET: i64 = 16;

/// All tool outputs of one request together must be shorter than this, in bytes. The service's
/// error quotes 512kb.
pub const TOOL_OUTPUTS: usize = 512 << 10;

/// The context window assumed for every model: how many prompt tokens of a thread a run reads.
pub const CONTEXT_WINDOW: u64 = 128_000;

/// The largest JSON body, in bytes, as the service's 413 quotes it.
pub const JSON_BODY: usize = 26_214_400;

/// The longest text that a response reads, in characters, and how many tools it may have:
/// documented.
pub const INPUT_TEXT: usize = 10_485_760;
pub const RESPONSE_TOOLS: usize = 128;
/// How many items a request may add to a conversation: documented.
pub const CONVERSATION_ITEMS: usize = 20;
pub const TOP_LOGPROBS: i64 = 20;
/// The longest id that a client may give an item, in characters: reported.
pub const ITEM_ID: usize = 64;
