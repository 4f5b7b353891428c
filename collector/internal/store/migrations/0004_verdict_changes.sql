-- One row a change of a verdict that was already given. Never rewritten: the
-- same change written again has the same id.
CREATE TABLE IF NOT EXISTS {database}.verdict_changes
(
    change_id          FixedString(16) CODEC(NONE),
    changed_at         DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    day                Date,
    asset_key          String CODEC(ZSTD(1)),
    host_name          String CODEC(ZSTD(1)),
    user_name          String CODEC(ZSTD(1)),
    from_verdict       LowCardinality(String),
    from_reason        LowCardinality(String),
    from_entry         String CODEC(ZSTD(1)),
    from_revision      UInt64 CODEC(ZSTD(1)),
    to_verdict         LowCardinality(String),
    to_reason          LowCardinality(String),
    to_entry           String CODEC(ZSTD(1)),
    to_revision        UInt64 CODEC(ZSTD(1)),
    cause              LowCardinality(String)
)
ENGINE = {replacing(changed_at)}
PARTITION BY toYYYYMM(day)
ORDER BY (day, asset_key, host_name, user_name, change_id)
