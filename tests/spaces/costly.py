"""The laws that make hundreds of calls or spaces, whatever the effort; by default some spaces are held to them."""

from structpred.testing import BATCH_LAWS, SPACE_LAWS

COSTLY = [
    "calls_leave_no_memory_behind",
    "equality_sees_every_field",
    "spaces_of_a_class_are_apart",
    "threads_do_not_matter_in_large_batches",
]
QUICK = [law.name for law in (*SPACE_LAWS, *BATCH_LAWS) if law.name not in COSTLY]
