"""The one table of limits. A dialect may be narrower, never wider."""

from typing import Final

NAME_LENGTH: Final = 1024  # characters of a metric, param or tag name
WORKSPACE_NAME_LENGTH: Final = 255
EXPERIMENT_NAME_LENGTH: Final = 500
RUN_ID_LENGTH: Final = 255
RUN_NAME_LENGTH: Final = 1024
LABELS_PER_SERIES: Final = 20
PARAM_VALUE_LENGTH: Final = 65_536
TAG_VALUE_LENGTH: Final = 65_536
CUSTOM_INFO_LENGTH: Final = 16 << 20  # characters of one value
POINTS_PER_WRITE: Final = 1_000_000
RUNS_PER_WRITE: Final = 1_000
PAGE_POINTS: Final = 1_000_000  # points of one page; a whole history is read page by page
BUCKETS: Final = 10_000  # buckets of one series
BUCKETS_PER_READ: Final = 1_000_000  # buckets of all series of one read
SERIES_PER_READ: Final = 1_000
RUNS_PER_PAGE: Final = 50_000
LINE_LENGTH: Final = 32 << 20  # characters of a console line
PAGE_LINES: Final = 10_000  # console lines of one page
VIEWS: Final = 1_000  # saved views of a workspace
VIEW_NAME_LENGTH: Final = 255
VIEW_LENGTH: Final = 65_536  # characters of a saved view
METRIC_NAMES: Final = 10_000  # of one answer
BLOB_PATH_LENGTH: Final = 4_096
DATASET_TEXT_LENGTH: Final = 16_777_216  # characters of a data set's source, schema or profile
LINKS_PER_WRITE: Final = 1_000  # data sets and models that one request ties to a run
DESCRIPTION_LENGTH: Final = 65_536
REGISTRY_TAG_LENGTH: Final = 100_000  # characters of the value of a tag of a registered model or a version
VERSIONS_PER_MODEL: Final = 100_000  # of a registered model, that are there at one time

TIME_MAX_MS: Final = 9_223_372_036_854_775  # the last millisecond whose microseconds fit int64
