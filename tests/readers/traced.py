"""A game as OpenTelemetry's own library for generative AI writes it, for tests/readers: prints one JSON object.

    python traced.py FOLDER

Writes FOLDER/spans.jsonl (spans as the SDK prints them) and FOLDER/otlp.jsonl (a batch of OTLP). Tested with
opentelemetry-util-genai 1.3b0 and opentelemetry-sdk 1.45.2.
"""

import json
import os
import sys

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.types import (
    InputMessage,
    OutputMessage,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
)

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
handler = TelemetryHandler(tracer_provider=provider)

history = [InputMessage(role="user", parts=[TextPart("You see a desk 1.\n\nYour task is to: look at a mug.")])]
seen = {"go to desk 1": "You see a mug 1.", "take mug 1": "You take it."}
with handler.invoke_local_agent(agent_name="player"):
    for n, (command, observation) in enumerate(seen.items()):
        call = ToolCallRequestPart(arguments={"command": command}, name="act", id=str(n))
        thought = [ReasoningPart("Look there first.")] if n == 0 else []
        with handler.inference("openai", request_model="m") as asked:
            asked.system_instruction = [TextPart("You play.")]
            asked.input_messages = list(history)
            asked.output_messages = [OutputMessage(role="assistant", parts=[*thought, call], finish_reason="tool_call")]
            asked.response_model_name = "m-1"
        history.append(InputMessage(role="assistant", parts=[call]))
        with handler.tool("act") as used:
            used.tool_call_id = str(n)
            used.tool_result = observation
        history.append(InputMessage(role="tool", parts=[ToolCallResponsePart(response=observation, id=str(n))]))

spans = kept.get_finished_spans()
with open(os.path.join(sys.argv[1], "spans.jsonl"), "w") as out:
    out.writelines(span.to_json(indent=None) + "\n" for span in spans)
with open(os.path.join(sys.argv[1], "otlp.jsonl"), "w") as out:
    out.write(json.dumps(MessageToDict(encode_spans(spans))) + "\n")
print(json.dumps({"spans": len(spans)}))
