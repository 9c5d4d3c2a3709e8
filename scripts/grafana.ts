// The Grafana dashboard "reto3" as code: ops/grafana/dashboards/reto3.json is made from it (npm run ops).
// Shapes: the JSON model of Grafana 11 and 12 (https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/).

/** As ops/grafana/provisioning names it. */
const DATASOURCE = { type: "prometheus", uid: "prometheus" };

/** Grafana's names of units. */
type Unit = "short" | "s" | "bytes" | "Bps" | "percentunit" | "reqps" | "none";

interface Query {
  expr: string;
  /** How a line is called; labels as `{{instance}}`. */
  legend: string;
}

interface Panel {
  title: string;
  /** For people: what it shows, and when to worry. */
  description: string;
  type: "timeseries" | "stat";
  unit: Unit;
  width: number;
  height: number;
  queries: Query[];
  /** From this value on it is red. */
  alarm?: number;
}

const ON_INSTANCE = 'instance=~"$instance"';

/** Of counters, per second. */
function rate(metric: string, by = "instance", matchers = ""): string {
  return `sum by (${by}) (rate(${metric}{${ON_INSTANCE}${matchers}}[$__rate_interval]))`;
}

function quantile(q: number, histogram: string): string {
  return `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket{${ON_INSTANCE}}[$__rate_interval])))`;
}

function quantiles(histogram: string, ...qs: number[]): Query[] {
  return qs.map((q) => ({ expr: quantile(q, histogram), legend: `p${q * 100}` }));
}

const EXPLANATION = `**TPS** is events per second made durable. **LAG** is stored minus created, by the client's clock in the event. **Ack** is how long a client waits for its 200.
Refused (503): not taken, the client may send again. Unknown (504): no durable answer in 5 s, it may be stored.
These are rates over the scrapes; the exact counts are what \`reto3 count\` and \`GET /counts\` say. Alerts: [Prometheus](http://127.0.0.1:9090/alerts). What each number is: \`curl http://127.0.0.1:8080/metrics\`.`;

const stat = (title: string, unit: Unit, expr: string, description: string, alarm?: number): Panel => ({
  title,
  description,
  type: "stat",
  unit,
  width: 4,
  height: 4,
  queries: [{ expr, legend: title }],
  ...(alarm !== undefined && { alarm }),
});

const graph = (
  title: string,
  unit: Unit,
  description: string,
  queries: Query[],
  more: Partial<Pick<Panel, "width">> = {},
): Panel => ({ title, description, type: "timeseries", unit, width: 12, height: 8, queries, ...more });

const PANELS: Panel[] = [
  stat(
    "TPS",
    "reqps",
    `sum(rate(reto3_events_stored_total{${ON_INSTANCE}}[$__rate_interval]))`,
    "Events per second made durable, over all servers.",
  ),
  stat(
    "LAG p99",
    "s",
    quantile(0.99, "reto3_lag_seconds"),
    "One of a hundred events was stored later than that after its creation.",
  ),
  stat(
    "Ack p99",
    "s",
    quantile(0.99, "reto3_ack_latency_seconds"),
    "One of a hundred clients waits longer for its 200.",
    1,
  ),
  stat(
    "Queue",
    "percentunit",
    `max(reto3_queue_events{${ON_INSTANCE}} / reto3_queue_events_max)`,
    "The fullest of the servers' queues. When it is full, events are refused.",
    0.5,
  ),
  stat(
    "Refused or unknown",
    "short",
    `sum(increase(reto3_requests_refused_total{${ON_INSTANCE},reason!~"invalid|too_large|method"}[$__range])) or vector(0)`,
    "Events that were not answered 200 in the time shown, malformed ones aside.",
    1,
  ),
  stat("Servers ready", "short", `sum(reto3_ready{${ON_INSTANCE}})`, "How many take events."),

  graph("Events per second", "reqps", "Taken into the queue, and made durable. The two part when the store is slow.", [
    { expr: `sum(rate(reto3_events_accepted_total{${ON_INSTANCE}}[$__rate_interval]))`, legend: "taken" },
    { expr: `sum(rate(reto3_events_stored_total{${ON_INSTANCE}}[$__rate_interval]))`, legend: "stored" },
    { expr: rate("reto3_events_stored_total"), legend: "stored by {{instance}}" },
  ]),
  graph("Events per minute", "short", "Made durable in the last minute.", [
    { expr: `sum(increase(reto3_events_stored_total{${ON_INSTANCE}}[1m]))`, legend: "stored" },
  ]),
  graph(
    "LAG",
    "s",
    "Stored minus created. Has the difference of the clients' clocks in it.",
    quantiles("reto3_lag_seconds", 0.5, 0.95, 0.99),
  ),
  graph(
    "Ack",
    "s",
    "From a request's body to its 200. 10 ms of it are waiting for the batch.",
    quantiles("reto3_ack_latency_seconds", 0.5, 0.95, 0.99),
  ),
  graph("Flush", "s", "One batch on its way into the store, and how long the present one is on its way.", [
    ...quantiles("reto3_flush_duration_seconds", 0.5, 0.99),
    { expr: `max(reto3_flush_age_seconds{${ON_INSTANCE}})`, legend: "in flight" },
  ]),
  graph(
    "Events per flush",
    "short",
    "Batches grow by themselves when the store is slow.",
    quantiles("reto3_flush_events", 0.5, 0.99),
  ),
  graph(
    "Not answered 200",
    "reqps",
    "By reason. queue_full, store_refused, draining: not taken. timeout: unknown.",
    [{ expr: rate("reto3_requests_refused_total", "reason"), legend: "{{reason}}" }],
    { width: 8 },
  ),
  graph(
    "Failures of the store",
    "short",
    "Attempts that failed, per minute. They are made again; refused ones are not.",
    [
      { expr: `sum by (kind) (increase(reto3_store_errors_total{${ON_INSTANCE}}[1m]))`, legend: "{{kind}}" },
      { expr: `sum(increase(reto3_writers_retired_total{${ON_INSTANCE}}[1m]))`, legend: "writers retired" },
    ],
    { width: 8 },
  ),
  graph(
    "Open minutes",
    "short",
    "Claims of minutes long over that are not sealed; partitions that contradict themselves.",
    [
      { expr: `max(reto3_unsealed_claims{${ON_INSTANCE}})`, legend: "unsealed claims" },
      { expr: `max(reto3_undecided_partitions{${ON_INSTANCE}})`, legend: "undecided partitions" },
    ],
    { width: 8 },
  ),
  graph(
    "CPU of the servers",
    "percentunit",
    "In cores. One server uses one core, and a little of a second.",
    [{ expr: rate("process_cpu_seconds_total", "instance", ',job="reto3"'), legend: "{{instance}}" }],
    { width: 8 },
  ),
  graph(
    "Memory of the servers",
    "bytes",
    "Resident.",
    [{ expr: `process_resident_memory_bytes{${ON_INSTANCE},job="reto3"}`, legend: "{{instance}}" }],
    { width: 8 },
  ),
  graph(
    "Event loop",
    "s",
    "How late a timer fires, one time in a hundred.",
    quantiles("reto3_event_loop_delay_seconds", 0.99),
    { width: 8 },
  ),
  graph(
    "Clock",
    "s",
    "The store's clock minus the servers'. Buckets are by the servers' clocks.",
    [{ expr: `reto3_store_clock_offset_seconds{${ON_INSTANCE}}`, legend: "clock offset of {{instance}}" }],
    { width: 8 },
  ),
  graph(
    "Room on the store's disk",
    "bytes",
    "SQLite only; of Cassandra's disks see the hosts below.",
    [
      { expr: `reto3_store_disk_free_bytes{${ON_INSTANCE}}`, legend: "free, {{instance}}" },
      { expr: `reto3_store_log_bytes{${ON_INSTANCE}}`, legend: "write-ahead log, {{instance}}" },
    ],
    { width: 8 },
  ),
  graph(
    "Load balancer",
    "reqps",
    "HAProxy, where there is one.",
    [
      {
        expr: 'sum by (server) (rate(haproxy_server_http_responses_total{proxy="reto3"}[$__rate_interval]))',
        legend: "{{server}}",
      },
      {
        expr: 'sum(rate(haproxy_server_connection_errors_total{proxy="reto3"}[$__rate_interval]))',
        legend: "connection errors",
      },
    ],
    { width: 8 },
  ),
  graph(
    "CPU of the hosts",
    "percentunit",
    "All but idle, of all cores.",
    [
      {
        expr: '1 - sum by (instance) (rate(node_cpu_seconds_total{mode=~"idle|iowait"}[$__rate_interval])) / count by (instance) (node_cpu_seconds_total{mode="idle"})',
        legend: "{{instance}}",
      },
    ],
    { width: 8 },
  ),
  graph(
    "Memory of the hosts",
    "percentunit",
    "Used, what is available without swapping aside.",
    [{ expr: "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", legend: "{{instance}}" }],
    { width: 8 },
  ),
  graph(
    "Disks of the hosts",
    "percentunit",
    "Used. Cassandra wants as much room again for a compaction.",
    [
      {
        expr: '1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs|iso9660|erofs|fuse[.].+"} / node_filesystem_size_bytes',
        legend: "{{instance}} {{mountpoint}}",
      },
    ],
    { width: 8 },
  ),
];

/** The file's text. */
export function grafanaDashboard(): string {
  return `${JSON.stringify(dashboard(), null, 2)}\n`;
}

function dashboard() {
  const explanation = { id: 1, type: "text", title: "", gridPos: { x: 0, y: 0, w: 24, h: 4 } };
  const places = placesOf(PANELS, 4);
  return {
    uid: "reto3",
    title: "reto3",
    description: "Events, LAG, answers, the store and the machines",
    tags: ["reto3"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    timezone: "utc",
    refresh: "5s",
    time: { from: "now-15m", to: "now" },
    templating: {
      list: [
        {
          name: "instance",
          label: "server",
          type: "query",
          datasource: DATASOURCE,
          query: { query: "label_values(reto3_build_info, instance)", refId: "instances" },
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: ".*",
          current: { text: ["All"], value: ["$__all"] },
        },
      ],
    },
    panels: [
      { ...explanation, options: { mode: "markdown", content: EXPLANATION } },
      ...PANELS.map((panel, at) => panelJson(panel, at + 2, places[at] ?? { x: 0, y: 0 })),
    ],
  };
}

/** Row after row, from the left: 24 columns. */
function placesOf(panels: readonly Panel[], topRows: number): { x: number; y: number }[] {
  let [x, y, rowHeight] = [0, topRows, 0];
  return panels.map(({ width, height }) => {
    if (x + width > 24) [x, y, rowHeight] = [0, y + rowHeight, 0];
    const place = { x, y };
    x += width;
    rowHeight = Math.max(rowHeight, height);
    return place;
  });
}

function panelJson(
  { title, description, type, unit, width, height, queries, alarm }: Panel,
  id: number,
  place: { x: number; y: number },
) {
  const steps = [{ color: "green", value: null }, ...(alarm === undefined ? [] : [{ color: "red", value: alarm }])];
  const custom = { fillOpacity: 8, showPoints: "never" };
  const options =
    type === "stat"
      ? { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } };
  return {
    id,
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { ...place, w: width, h: height },
    fieldConfig: {
      defaults: { unit, thresholds: { mode: "absolute", steps }, ...(type === "timeseries" && { custom }) },
      overrides: [],
    },
    options,
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}
