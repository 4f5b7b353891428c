-- One row a report of one sensor of one agent.
CREATE TABLE IF NOT EXISTS {database}.coverage
(
    agent_id     String CODEC(ZSTD(1)),
    sensor       LowCardinality(String),
    until        DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    since        DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    host_name    String CODEC(ZSTD(1)),
    host_id      String CODEC(ZSTD(1)),
    os           LowCardinality(String),
    channel      LowCardinality(String),
    version      LowCardinality(String),
    state        LowCardinality(String),
    reason       String CODEC(ZSTD(1)),
    blind_reason Array(String) CODEC(ZSTD(1)),
    blind_detail Array(String) CODEC(ZSTD(1)),
    blind_count  Array(UInt64) CODEC(ZSTD(1)),
    counters     Map(String, UInt64) CODEC(ZSTD(1)),
    inserted_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {replacing(inserted_at)}
PARTITION BY toYYYYMM(until)
ORDER BY (agent_id, sensor, until)
