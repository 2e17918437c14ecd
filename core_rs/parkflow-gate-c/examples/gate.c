/*
 * A gate in C: takes bundles, then decides about codes from standard input.
 *
 *   gate ROOT_KEY_HEX LOT LANE NOW_S STATE_FOLDER FILTER_FOLDER [BUNDLE...] < codes
 *
 * A line is a code, or "entry " or "exit " and a code; without a word it is an entry. For each line it prints outcome,
 * reason, "certain" or "likely", and the text for the display, with tabs between them.
 *
 * Exit code: 0 = done, 1 = a bundle was refused or a call failed, 2 = wrong use.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parkflow_gate.h"

/* A whole file, to be freed; NULL if it cannot be read. */
static uint8_t *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        *len = (size_t)size;
        bytes = malloc(*len + 1); /* One more, for an empty file has an address too. */
        if (bytes && fread(bytes, 1, *len, file) != *len) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file) fclose(file);
    return bytes;
}

/* The host's part: GET the filter by its hash from the service. Here it lies in a folder. */
static uint8_t *fetch_filter(const char *folder, const uint8_t sha256[PF_SHA256_BYTES], size_t *len) {
    char path[1024];
    int used = snprintf(path, sizeof path, "%s/", folder);
    if (used < 0 || (size_t)used + 2 * PF_SHA256_BYTES + sizeof ".filter" > sizeof path) return NULL;
    for (int i = 0; i < PF_SHA256_BYTES; i++) {
        used += snprintf(path + used, sizeof path - (size_t)used, "%02x", (unsigned)sha256[i]);
    }
    snprintf(path + used, sizeof path - (size_t)used, ".filter");
    return read_file(path, len);
}

/* Gives a bundle to the gate, and fetches its filter if the gate does not have it. */
static pf_status take_bundle(pf_gate *gate, const char *path, const char *filter_folder, int64_t now_s) {
    size_t bundle_len = 0, filter_len = 0;
    uint64_t version = 0;
    uint8_t sha256[PF_SHA256_BYTES], has = 0;
    uint8_t *filter = NULL, *bundle = read_file(path, &bundle_len);
    if (!bundle) return PF_ERROR_DISK;
    pf_status status = pf_gate_take_bundle(gate, bundle, bundle_len, NULL, 0, now_s, &version);
    if (status == PF_BUNDLE_FILTER_MISSING) {
        status = pf_gate_filter_of(gate, bundle, bundle_len, sha256, &has);
        if (status == PF_DONE && has) filter = fetch_filter(filter_folder, sha256, &filter_len);
        if (filter) status = pf_gate_take_bundle(gate, bundle, bundle_len, filter, filter_len, now_s, &version);
        else status = PF_BUNDLE_FILTER_MISSING;
    }
    free(filter);
    free(bundle);
    return status;
}

static const char *outcome_name(uint8_t outcome) {
    switch (outcome) {
    case PF_ACCEPT: return "accept";
    case PF_ACCEPT_AND_FLAG: return "accept_and_flag";
    default: return "refuse";
    }
}

/* One car at the reader. */
static pf_status visit(pf_gate *gate, const char *line, size_t len, int64_t now_s) {
    int32_t direction = PF_ENTRY;
    if (len >= 6 && memcmp(line, "entry ", 6) == 0) {
        line += 6;
        len -= 6;
    } else if (len >= 5 && memcmp(line, "exit ", 5) == 0) {
        direction = PF_EXIT;
        line += 5;
        len -= 5;
    }
    pf_decision decision = {.struct_size = sizeof decision};
    pf_status status = pf_gate_decide(gate, (const uint8_t *)line, len, direction, -1, now_s, &decision);
    if (status == PF_DONE && !decision.certain) {
        /* The host's part, with a line: ask the service whether decision.subject is denied. If it is not, call
         * pf_gate_clear(gate, decision.subject) and pf_gate_decide again. Without a line, the decision stands. */
    }
    if (status == PF_DONE && decision.outcome != PF_REFUSE) {
        /* The host's part, in this order: write the passage to the journal and sync it to the disk; only then open
         * the barrier. A passage that is not in the journal is never charged. */
    }
    printf("%s\t%s\t%s\t%s\n", outcome_name(decision.outcome), pf_reason_name(decision.reason),
           decision.certain ? "certain" : "likely", pf_reason_display(decision.reason));
    return status;
}

static int read_key(const char *hex, uint8_t key[32]) {
    if (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64) return 0;
    for (int i = 0; i < 32; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        key[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return 1;
}

int main(int argc, char **argv) {
    pf_post post = {.struct_size = sizeof post};
    if (argc < 7 || !read_key(argv[1], post.root_key)) {
        fprintf(stderr, "usage: gate ROOT_KEY_HEX LOT LANE NOW_S STATE_FOLDER FILTER_FOLDER [BUNDLE...] < codes\n");
        return 2;
    }
    if (pf_abi_version() < PF_ABI_VERSION) {
        fprintf(stderr, "the library is older than its header\n");
        return 1;
    }
    post.lot_id = strtoull(argv[2], NULL, 10);
    post.lane_id = strtoull(argv[3], NULL, 10);
    /* A real gate reads its clock, which it keeps right by NTP or GNSS, before each call. */
    int64_t now_s = strtoll(argv[4], NULL, 10);

    pf_gate *gate = NULL;
    uint8_t found = 0;
    int failed = 0;
    pf_status status = pf_gate_new(&post, NULL, argv[5], "gate", &gate);
    if (status == PF_DONE && (status = pf_gate_load(gate, &found)) != PF_DONE) failed = 1;
    /* The host's part: tell the gate of the passages of the last minutes in its journal (pf_gate_note_passage). */
    if (!gate) {
        fprintf(stderr, "no gate: status %" PRId32 "\n", status);
        return status == PF_ERROR_ROOT_KEY || status == PF_ERROR_STRING ? 2 : 1;
    }
    for (int i = 7; i < argc; i++) {
        status = take_bundle(gate, argv[i], argv[6], now_s);
        if (status != PF_DONE) {
            fprintf(stderr, "%s: status %" PRId32 " %s\n", argv[i], status, pf_bundle_refusal_name(status));
            failed = 1; /* The bundle in use stays in use. */
        }
    }
    char line[1024]; /* Longer than any code; a longer line is read as several, none of which is a code. */
    while (fgets(line, sizeof line, stdin)) {
        if (visit(gate, line, strcspn(line, "\n"), now_s) != PF_DONE) failed = 1;
    }
    pf_gate_free(gate);
    return failed;
}
