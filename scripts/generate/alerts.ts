/** One alert: when it is raised, and what to do then. */
export interface Alert {
  readonly name: string;
  /** PromQL; every metric in it has to be declared. */
  readonly expr: string;
  /** How long it has to hold, as Prometheus writes it. */
  readonly for: string;
  /** `critical`: somebody has to look now; `warning`: today. */
  readonly severity: "critical" | "warning";
  /** What is the matter, for `{{ $labels.instance }}`. */
  readonly summary: string;
  /** What to do about it: the line of the runbook. */
  readonly action: string;
}

/** All alerts of the project. */
export const alerts: readonly Alert[] = [
  {
    name: "AgentDown",
    expr: 'up{job=~"commandcenter.*"} == 0',
    for: "2m",
    severity: "critical",
    summary: "the agent cannot be scraped",
    action:
      "`systemctl status commandcenter`, its log, and `commandcenter status` on that host; a 401 is a lost key",
  },
  {
    name: "AgentRestarting",
    expr: "changes(commandcenter_process_start_time_seconds[15m]) > 3",
    for: "0m",
    severity: "warning",
    summary: "the agent starts again and again",
    action: "the last lines of the log before each start say why",
  },
  {
    name: "StorageDown",
    expr: "commandcenter_build_info unless on (instance, job) commandcenter_storage_probe_seconds",
    for: "2m",
    severity: "critical",
    summary: "the database does not answer, or its disk is full: nothing is stored",
    action:
      "`commandcenter status` says which: free space, or bring PostgreSQL back; a damaged file needs a backup",
  },
  {
    name: "DiskAlmostFull",
    expr: "commandcenter_host_disk_available_bytes / commandcenter_host_disk_size_bytes < 0.1",
    for: "10m",
    severity: "warning",
    summary: "less than a tenth of the disk with the data folder is free",
    action: "free space, or let `retention` remove more; a full disk refuses events with 507",
  },
  {
    name: "DiskFullSoon",
    expr: "predict_linear(commandcenter_host_disk_available_bytes[6h], 24 * 3600) < 0",
    for: "1h",
    severity: "warning",
    summary: "at the pace of the last hours the disk is full within a day",
    action: "see which of `commandcenter_storage_size_bytes` and other files grows; set `retention`",
  },
  {
    name: "LogDamaged",
    expr: 'commandcenter_health_state{check="log"} > 0',
    for: "0m",
    severity: "critical",
    summary: "events on disk are not what was stored",
    action: "`commandcenter events verify` names them; do not delete backups; restore the last whole one",
  },
  {
    name: "CheckDown",
    expr: 'commandcenter_health_state{check!~"log|storage"} == 2',
    for: "5m",
    severity: "warning",
    summary: "{{ $labels.check }} of /health is down",
    action: "`commandcenter status` shows its message",
  },
  {
    name: "BusDisconnected",
    expr: "commandcenter_bus_connected == 0",
    for: "5m",
    severity: "critical",
    summary: "not connected to the bus: other hosts get no events, which wait in the storage",
    action: "is NATS up, and the login right? `commandcenter status` has the reason",
  },
  {
    name: "RelayLagGrowing",
    expr: "commandcenter_events_relay_lag > 1000 and deriv(commandcenter_events_relay_lag[10m]) > 0",
    for: "15m",
    severity: "warning",
    summary: "{{ $value }} events wait for the bus, and it gets more",
    action: "is the bus slow or away? `relay.window` allows more on their way at a time",
  },
  {
    name: "EventsParked",
    expr: "commandcenter_events_parked > 0",
    for: "0m",
    severity: "warning",
    summary: "{{ $value }} events are too large for the bus, or refused by it, and stay here",
    action: "raise the `max_payload` of the NATS server for later ones, or publish smaller ones",
  },
  {
    name: "CollectLagging",
    expr: "commandcenter_events_collect_lag > 1000 and deriv(commandcenter_events_collect_lag[10m]) > 0",
    for: "15m",
    severity: "warning",
    summary: "{{ $value }} events of other hosts wait to be taken in, and it gets more",
    action: "is the disk slow? `commandcenter_storage_probe_seconds`, and the check `collect`",
  },
  {
    name: "DeadLetters",
    expr: "delta(commandcenter_events_dead_letters[15m]) > 0",
    for: "0m",
    severity: "warning",
    summary: "consumers have given up on events",
    action:
      "`commandcenter consumers dead-letters NAME` says why; mend the worker, then `consumers replay NAME`",
  },
  {
    name: "HandlersFailing",
    expr: "rate(commandcenter_handler_failures_total[10m]) > 0.1",
    for: "10m",
    severity: "warning",
    summary: "subscriptions, schedules or loops of {{ $labels.plugin }} fail",
    action: "its lines of level `error` in the log have the cause and a correlation id",
  },
  {
    name: "MessagesLost",
    expr: "increase(commandcenter_bus_messages_lost_total[10m]) > 0",
    for: "0m",
    severity: "warning",
    summary: "messages were handled by nobody ({{ $labels.reason }})",
    action: "`slow`: a handler does not keep up; `given_up`: it failed each time, see the log",
  },
  {
    name: "ServerErrors",
    expr: 'sum by (instance, job) (rate(commandcenter_http_requests_total{status=~"5.."}[5m])) / ' +
      "sum by (instance, job) (rate(commandcenter_http_requests_total[5m])) > 0.05",
    for: "5m",
    severity: "critical",
    summary: "more than 5 % of the answers are 5xx",
    action: "503 and 507 are the storage; 500 is a fault of ours: the log has it by correlation id",
  },
  {
    name: "SlowAnswers",
    expr: "histogram_quantile(0.99, sum by (instance, job, le) " +
      '(rate(commandcenter_http_request_duration_seconds_bucket{route!~".*(stream|fetch|verify).*"}[10m]))) > 2',
    for: "15m",
    severity: "warning",
    summary: "one answer in a hundred takes over 2 s to begin",
    action: "the dashboard shows by route which; then the storage probe and the event loop",
  },
  {
    name: "EventLoopBlocked",
    expr: "commandcenter_process_event_loop_lag_max_seconds > 1",
    for: "5m",
    severity: "warning",
    summary: "something holds the process up for over a second, each minute",
    action:
      "a busy host, or a plugin that computes too long at once: `log.level: debug` has the times of requests",
  },
  {
    name: "MemoryHigh",
    expr: "commandcenter_process_resident_memory_bytes > 0.5 * commandcenter_host_memory_size_bytes " +
      "or commandcenter_host_memory_available_bytes < 0.05 * commandcenter_host_memory_size_bytes",
    for: "15m",
    severity: "warning",
    summary: "the agent holds half of the memory, or the host has nearly none left",
    action:
      "does it grow steadily (`commandcenter_process_heap_used_bytes`)? Report it with the dashboard; restart",
  },
];
