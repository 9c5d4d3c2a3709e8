// The same batches as bare-loop.ts, by the fastest client that is known: one thread, one batch in flight. Prints one JSON line.
//
//   insert-loop HOST:PORT KEYSPACE BATCH SECONDS

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::serialize::SerializationError;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::Consistency;
use std::error::Error;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const WARM_UP: Duration = Duration::from_secs(1);

/// As large as those of bench-insert on average.
const LAG_HIST_1S: [u8; 55] = [0; 55];
const LAG_HIST_1M: [u8; 183] = [0; 183];

type Count = (i64, Uuid, i64, i32, i64, i64, i64);

/// One statement's values; typed, so that nothing is looked up when they are written.
enum Row {
    Event((i64, Uuid, i32, i64, i64)),
    Count(Count),
    CountWithLags((i64, Uuid, i64, i32, i64, i64, i64, &'static [u8])),
}

impl SerializeRow for Row {
    fn serialize(&self, context: &RowSerializationContext<'_>, writer: &mut RowWriter) -> Result<(), SerializationError> {
        match self {
            Row::Event(values) => values.serialize(context, writer),
            Row::Count(values) => values.serialize(context, writer),
            Row::CountWithLags(values) => values.serialize(context, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, node, keyspace, rows, seconds] = arguments.as_slice() else {
        return Err("usage: insert-loop HOST:PORT KEYSPACE BATCH SECONDS".into());
    };
    let rows: usize = rows.parse()?;
    let session = SessionBuilder::new().known_node(node).use_keyspace(keyspace, true).build().await?;
    let mut batch = prepared_batch(&session, rows).await?;
    write_for(&session, &mut batch, rows, WARM_UP).await?;
    let started = Instant::now();
    let written = write_for(&session, &mut batch, rows, Duration::from_secs_f64(seconds.parse()?)).await?;
    let per_sec = written as f64 / started.elapsed().as_secs_f64();
    println!("{{\"rows\":{written},\"rowsPerSec\":{per_sec:.0}}}");
    Ok(())
}

async fn prepared_batch(session: &Session, rows: usize) -> Result<Batch, Box<dyn Error>> {
    let counts = "minute, writer, bucket_us, events, lag_sum_us, lag_min_us, lag_max_us";
    let event = session.prepare("INSERT INTO events (minute, writer, seq, created_us, received_us) VALUES (?, ?, ?, ?, ?)").await?;
    let mut batch = Batch::new(BatchType::Unlogged);
    batch.set_consistency(Consistency::LocalQuorum);
    for _ in 0..rows {
        batch.append_statement(event.clone());
    }
    batch.append_statement(session.prepare(format!("INSERT INTO counts_10ms ({counts}) VALUES (?, ?, ?, ?, ?, ?, ?)")).await?);
    for table in ["counts_1s", "counts_1m"] {
        let insert = format!("INSERT INTO {table} ({counts}, lag_hist) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        batch.append_statement(session.prepare(insert).await?);
    }
    Ok(batch)
}

async fn write_for(session: &Session, batch: &mut Batch, rows: usize, limit: Duration) -> Result<i32, Box<dyn Error>> {
    let writer = Uuid::new_v4();
    let started = Instant::now();
    let mut seq = 0;
    while started.elapsed() < limit {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as i64;
        let minute = now - now % 60_000_000;
        let mut values = Vec::with_capacity(rows + 3);
        for _ in 0..rows {
            values.push(Row::Event((minute, writer, seq, now, now)));
            seq += 1;
        }
        let total = |bucket: i64| (minute, writer, now - now % bucket, seq, 1, 1, 1);
        let with_lags = |(a, b, c, d, e, f, g): Count, lags| Row::CountWithLags((a, b, c, d, e, f, g, lags));
        values.push(Row::Count(total(10_000)));
        values.push(with_lags(total(1_000_000), &LAG_HIST_1S));
        values.push(with_lags(total(60_000_000), &LAG_HIST_1M));
        batch.set_timestamp(Some(now));
        session.batch(batch, values).await?;
    }
    Ok(seq)
}
