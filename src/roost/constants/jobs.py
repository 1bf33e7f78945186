"""Public numbers and names of the libvirt API: domain jobs and their statistics."""

DOWNTIME = "downtime"
ERRMSG = "errmsg"
NONE = 0
OPERATION = "operation"
SUCCESS = "success"
BOUNDED = 1
UNBOUNDED = 2
COMPLETED = 3
FAILED = 4
CANCELLED = 5
AUTO_CONVERGE_THROTTLE = "auto_converge_throttle"
COMPRESSION_BYTES = "compression_bytes"
COMPRESSION_CACHE = "compression_cache"
COMPRESSION_OVERFLOW = "compression_overflow"
COMPRESSION_PAGES = "compression_pages"
COMPRESSION_CACHE_MISSES = "compression_cache_misses"
DATA_PROCESSED = "data_processed"
DATA_REMAINING = "data_remaining"
DATA_TOTAL = "data_total"
DISK_BPS = "disk_bps"
DISK_PROCESSED = "disk_processed"
DISK_REMAINING = "disk_remaining"
DISK_TOTAL = "disk_total"
DISK_TEMP_TOTAL = "disk_temp_total"
DISK_TEMP_USED = "disk_temp_used"
DOWNTIME_NET = "downtime_net"
MEMORY_BPS = "memory_bps"
MEMORY_CONSTANT = "memory_constant"
MEMORY_ITERATION = "memory_iteration"
MEMORY_NORMAL = "memory_normal"
MEMORY_PROCESSED = "memory_processed"
MEMORY_REMAINING = "memory_remaining"
MEMORY_TOTAL = "memory_total"
MEMORY_DIRTY_RATE = "memory_dirty_rate"
MEMORY_NORMAL_BYTES = "memory_normal_bytes"
MEMORY_PAGE_SIZE = "memory_page_size"
MEMORY_POSTCOPY_REQS = "memory_postcopy_requests"
OPERATION_UNKNOWN = 0
OPERATION_START = 1
OPERATION_SAVE = 2
OPERATION_RESTORE = 3
OPERATION_SNAPSHOT = 6
OPERATION_DUMP = 8
OPERATION_BACKUP = 9
OPERATION_MIGRATION_IN = 4
OPERATION_MIGRATION_OUT = 5
OPERATION_SNAPSHOT_REVERT = 7
OPERATION_SNAPSHOT_DELETE = 10
#: What they are called, by number.
OPERATION_NAMES = (
    "Unknown", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration", "Snapshot", "Snapshot revert",
    "Dump", "Backup", "Snapshot delete",
)  # fmt: skip
SETUP_TIME = "setup_time"
STATS_COMPLETED = 1
STATS_KEEP_COMPLETED = 2
TIME_ELAPSED = "time_elapsed"
TIME_REMAINING = "time_remaining"
TIME_ELAPSED_NET = "time_elapsed_net"
