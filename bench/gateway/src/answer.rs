//! Single answers, to compare them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fcs_proto::inference::ModelInferResponse;
use serde::Deserialize as _;
use serde_json::Value;

use crate::grpc;
use crate::measure::{Contender, Requests};

const LIMIT: Duration = Duration::from_secs(10);

/// The probability with which a contender answers a request.
pub(crate) async fn probability(contender: &Contender, number: u64) -> anyhow::Result<f64> {
    let found = match &contender.requests {
        Requests::Http(request) => of_json(&ask(contender.address, &request(0, number))?),
        Requests::Grpc(requests) => {
            let mut client = grpc::connect(contender.address).await?;
            let request = requests[number as usize % requests.len()].clone();
            of_message(&client.model_infer(request).await?.into_inner())
        }
    };
    found.with_context(|| format!("{} answers with no probability", contender.name))
}

/// Sends a request on a connection of its own. Returns the JSON of the answer, which must have the status 200.
pub(crate) fn ask(to: SocketAddr, request: &[u8]) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.contains(" 200 "), "{to} answers {line:?}");
    while !line.trim_end().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    // The connection stays open: no more is read than the one value.
    let mut json = serde_json::Deserializer::from_reader(reader);
    Ok(Value::deserialize(&mut json)?)
}

/// FastAPI's member, or the first tensor of the protocol.
fn of_json(answer: &Value) -> Option<f64> {
    let first = || answer.pointer("/outputs/0/data/0");
    answer.get("probability").or_else(first)?.as_f64()
}

fn of_message(answer: &ModelInferResponse) -> Option<f64> {
    if let Some(raw) = answer.raw_output_contents.first() {
        return Some(f64::from_le_bytes(raw.as_slice().try_into().ok()?));
    }
    let contents = answer.outputs.first()?.contents.as_ref()?;
    contents.fp64_contents.first().copied()
}
