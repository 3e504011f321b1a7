# A conversation in curl, as in the tutorials of November 2023: the v1 header, the key as a Bearer
# token or as a password without a user, `-d ''` for an empty thread.
set -euo pipefail

id() { grep -o "\"$1[A-Za-z0-9_-]*\"" | head -1 | tr -d '"'; }
must_say() { grep -q "$1" <<<"$2" || { echo "expected $1 in $2" >&2; exit 1; }; }

ASSISTANT=$(curl -s "$BASE/assistants" \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H "OpenAI-Beta: assistants=v1" \
  -d '{
    "instructions": "You are a personal math tutor. Write and run code to answer math questions.",
    "name": "Math Tutor",
    "tools": [{"type": "code_interpreter"}],
    "model": "gpt-4-1106-preview"
  }' | id asst_)

# Also without a content type: curl then declares a form.
for TYPE in "Content-Type: application/json" "Accept: */*"; do
  THREAD=$(curl -s "$BASE/threads" -u :$OPENAI_API_KEY \
    -H "$TYPE" \
    -H "OpenAI-Beta: assistants=v1" \
    -d '' | id thread_)
done

curl -s "$BASE/threads/$THREAD/messages" -u :$OPENAI_API_KEY \
  -H 'Content-Type: application/json' \
  -H 'OpenAI-Beta: assistants=v1' \
  -d '{
    "role": "user",
    "content": "I need to solve the equation `3x + 11 = 14`. Can you help me?"
  }' >/dev/null

RUN=$(curl -s "$BASE/threads/$THREAD/runs" -u :$OPENAI_API_KEY \
  -H 'Content-Type: application/json' \
  -H 'OpenAI-Beta: assistants=v1' \
  -d '{
    "assistant_id": "'$ASSISTANT'",
    "instructions": "Please address the user as Jane Doe. The user has a premium account."
  }' | id run_)

for _ in $(seq 50); do
  ANSWER=$(curl -s "$BASE/threads/$THREAD/runs/$RUN" \
    -H "Authorization: Bearer $OPENAI_API_KEY" \
    -H "OpenAI-Beta: assistants=v1")
  grep -q '"status": "completed"' <<<"$ANSWER" && break
done
must_say '"status": "completed"' "$ANSWER"
must_say '"file_ids": \[\]' "$ANSWER"

MESSAGES=$(curl -s "$BASE/threads/$THREAD/messages" -u :$OPENAI_API_KEY -H 'OpenAI-Beta: assistants=v1')
must_say 'Jane Doe' "$MESSAGES"
must_say 'x = 1' "$MESSAGES"

STEPS=$(curl -s "$BASE/threads/$THREAD/runs/$RUN/steps" -u :$OPENAI_API_KEY -H 'OpenAI-Beta: assistants=v1')
must_say '"code_interpreter"' "$STEPS"
