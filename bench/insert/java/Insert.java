// The same batches as bare-loop.ts, by the Java driver: one thread, one batch in flight. Prints one JSON line.
//
//   java -cp 'LIB/*' Insert.java HOST:PORT KEYSPACE BATCH SECONDS

import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchStatementBuilder;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.UUID;

public class Insert {
  /** Its compiler needs longer than the others do. */
  private static final double WARM_UP_SECONDS = 3;

  /** As large as those of bench-insert on average. */
  private static final ByteBuffer LAG_HIST_1S = ByteBuffer.allocate(55);
  private static final ByteBuffer LAG_HIST_1M = ByteBuffer.allocate(183);

  private final CqlSession session;
  private final int batch;
  private final PreparedStatement event;
  private final PreparedStatement count10ms;
  private final PreparedStatement count1s;
  private final PreparedStatement count1m;
  private final UUID writer = UUID.randomUUID();

  private Insert(CqlSession session, int batch) {
    String counts = "minute, writer, bucket_us, events, lag_sum_us, lag_min_us, lag_max_us";
    String withLags = " (" + counts + ", lag_hist) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    this.session = session;
    this.batch = batch;
    event = session.prepare("INSERT INTO events (minute, writer, seq, created_us, received_us) VALUES (?, ?, ?, ?, ?)");
    count10ms = session.prepare("INSERT INTO counts_10ms (" + counts + ") VALUES (?, ?, ?, ?, ?, ?, ?)");
    count1s = session.prepare("INSERT INTO counts_1s" + withLags);
    count1m = session.prepare("INSERT INTO counts_1m" + withLags);
  }

  public static void main(String[] arguments) {
    String[] node = arguments[0].split(":");
    try (CqlSession session = CqlSession.builder()
        .addContactPoint(new InetSocketAddress(node[0], Integer.parseInt(node[1])))
        .withLocalDatacenter("datacenter1")
        .withKeyspace(arguments[1])
        .build()) {
      Insert insert = new Insert(session, Integer.parseInt(arguments[2]));
      insert.writeFor(WARM_UP_SECONDS);
      long started = System.nanoTime();
      int rows = insert.writeFor(Double.parseDouble(arguments[3]));
      double seconds = (System.nanoTime() - started) / 1e9;
      System.out.printf("{\"rows\":%d,\"rowsPerSec\":%d}%n", rows, Math.round(rows / seconds));
    }
  }

  private int writeFor(double seconds) {
    long started = System.nanoTime();
    int seq = 0;
    while ((System.nanoTime() - started) / 1e9 < seconds) {
      long now = System.currentTimeMillis() * 1_000;
      long minute = now - now % 60_000_000;
      BatchStatementBuilder statements = BatchStatement.builder(DefaultBatchType.UNLOGGED);
      for (int at = 0; at < batch; at++) statements.addStatement(event.bind(minute, writer, seq++, now, now));
      long second = now - now % 1_000_000;
      statements.addStatement(count10ms.bind(minute, writer, now - now % 10_000, seq, 1L, 1L, 1L));
      statements.addStatement(count1s.bind(minute, writer, second, seq, 1L, 1L, 1L, LAG_HIST_1S.duplicate()));
      statements.addStatement(count1m.bind(minute, writer, minute, seq, 1L, 1L, 1L, LAG_HIST_1M.duplicate()));
      statements.setQueryTimestamp(now).setConsistencyLevel(ConsistencyLevel.LOCAL_QUORUM);
      session.execute(statements.build());
    }
    return seq;
  }
}
