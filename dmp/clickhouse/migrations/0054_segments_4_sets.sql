-- Sets of leaves of before, which leaf_members has now.
DROP TABLE IF EXISTS leaf_sets
