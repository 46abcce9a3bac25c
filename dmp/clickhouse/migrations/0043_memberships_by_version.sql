-- A publication looks for rows of later versions: granules without any need not be read, also after merges have mixed the versions.
ALTER TABLE memberships ADD INDEX IF NOT EXISTS newest version TYPE minmax GRANULARITY 1
