// What error messages call the type that owns a reservation, and the advice that they give. One constant per type.
#ifndef VMEM_OWNER_KIND_H
#define VMEM_OWNER_KIND_H

typedef struct OwnerKind {
    const char* noun;                              // "region"
    const char* article;                           // "a" or "an"
    const char* reserved_for;                      // " for an array", or "" where reserving is what the user asked for
    const char* when_addresses_run_out;            // "reserve less"
    const char* when_mappings_run_out;             // "release what is not needed"
    const char* when_commit_runs_out_of_mappings;  // the same, where the refused request was a commit
} OwnerKind;

#endif
