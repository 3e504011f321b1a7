//! Every documented limit of the API, once. Lengths are counted in characters.
//!
//! Source: the OpenAPI document of Assistants v2 and OpenAI's published limits, unless said otherwise.

/// A run not finished so long after its creation expires. In every recorded run `expires_at` is `created_at + 600`.
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
pub const CODE_INTERPRETER_FILES: usize = 20;
pub const VECTOR_STORES: usize = 1;
pub const MAX_NUM_RESULTS: i64 = 50;

pub const METADATA_KEYS: usize = 16;
pub const METADATA_KEY: usize = 64;
pub const METADATA_VALUE: usize = 512;

pub const TEMPERATURE: f64 = 2.0;
pub const TOP_P: f64 = 1.0;
pub const SCORE_THRESHOLD: f64 = 1.0;

pub const PAGE_DEFAULT: i64 = 20;
pub const PAGE_MAX: i64 = 100;

/// The documented minimum of both token budgets.
pub const TOKEN_BUDGET: i64 = 256;
/// The smallest `max_completion_tokens` that the real service was recorded to accept, in April 2024,
/// in spite of the documented 256.
pub const COMPLETION_BUDGET_ACCEPTED: i64 = 16;

/// The context window assumed for every model: how many prompt tokens of a thread are looked at.
pub const CONTEXT_WINDOW: u64 = 128_000;

/// The largest JSON body, in bytes, as the service's 413 quotes it.
pub const JSON_BODY: usize = 26_214_400;
