-- One row a usage: asset x host x user x day. The highest version stays.
CREATE TABLE IF NOT EXISTS {database}.verdicts
(
    day                Date,
    asset_key          String CODEC(ZSTD(1)),
    host_name          String CODEC(ZSTD(1)),
    user_name          String CODEC(ZSTD(1)),
    version            UInt64 CODEC(Delta, ZSTD(1)),
    asset_name         String CODEC(ZSTD(1)),
    asset_kind         LowCardinality(String),
    provider           LowCardinality(String),
    channel            LowCardinality(String),
    domains            Array(String) CODEC(ZSTD(1)),
    processes          Array(String) CODEC(ZSTD(1)),
    first_seen         DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    last_seen          DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    count              UInt64 CODEC(T64, ZSTD(1)),
    confidence         UInt8 CODEC(ZSTD(1)),
    verdict_at_event   LowCardinality(String),
    reason_at_event    LowCardinality(String),
    dimensions         Array(String) CODEC(ZSTD(1)),
    entry_id           String CODEC(ZSTD(1)),
    walk               String CODEC(ZSTD(1)),
    inventory_revision UInt64 CODEC(ZSTD(1)),
    directory_snapshot UInt64 CODEC(ZSTD(1)),
    catalogue          LowCardinality(String),
    evaluated_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    verdict_current    LowCardinality(String),
    reason_current     LowCardinality(String),
    dimensions_current Array(String) CODEC(ZSTD(1)),
    entry_current      String CODEC(ZSTD(1)),
    walk_current       String CODEC(ZSTD(1)),
    revision_current   UInt64 CODEC(ZSTD(1)),
    changed_at         DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX by_host host_name TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_user user_name TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {replacing(version)}
PARTITION BY toYYYYMM(day)
ORDER BY (day, asset_key, host_name, user_name)
