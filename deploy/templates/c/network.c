/* ---- the step, the same for every network ---------------------------------------------------- */

/* What a spike does to v: 0 at once, less the threshold at once, less the threshold a step later,
 * less all thresholds that it holds at once, with a spike for each. */
#define HRSNN_ZERO 0
#define HRSNN_SUBTRACT 1
#define HRSNN_SUBTRACT_NEXT 2
#define HRSNN_SUBTRACT_ALL 3
#define HRSNN_WRAP 8388608 /* 2^23: above it u loses 2^24, at -2^23 and below it gains it */

static int32_t hrsnn_u[HRSNN_NEURONS], hrsnn_v[HRSNN_NEURONS];
static uint32_t hrsnn_arriving[HRSNN_NEURONS]; /* sums modulo 2^32 */
static hrsnn_index hrsnn_sent[HRSNN_PAST][HRSNN_NEURONS];
static uint32_t hrsnn_n_sent[HRSNN_PAST];
#if HRSNN_SEVERAL
static int32_t hrsnn_numbers[HRSNN_PAST][HRSNN_NEURONS]; /* how many spikes each of these is */
#endif
static uint32_t hrsnn_slot, hrsnn_last; /* of this step, and of the one before */
#if HRSNN_WAITING
static uint8_t hrsnn_waiting[HRSNN_NEURONS]; /* steps for which a spike still acts on v */
#endif
#if HRSNN_FLOORED
static uint32_t hrsnn_sums[HRSNN_FLOORED]; /* modulo 2^32 */
#endif
#if HRSNN_INPUT_PAST
static hrsnn_channel hrsnn_given[HRSNN_INPUT_PAST][HRSNN_INPUTS];
static uint32_t hrsnn_n_given[HRSNN_INPUT_PAST];
static uint32_t hrsnn_input_slot;
#if HRSNN_GRADED
static int32_t hrsnn_payload[HRSNN_INPUT_PAST][HRSNN_INPUTS];
#endif
#endif
#if HRSNN_PARTS
static int32_t hrsnn_held[HRSNN_INPUTS];
static int16_t hrsnn_mantissa[HRSNN_NEURONS];
#endif

/* The int32 of the same bits; a conversion is up to the compiler. */
static int32_t hrsnn_signed(uint32_t x)
{
    return x <= INT32_MAX ? (int32_t)x : -(int32_t)(UINT32_MAX - x) - 1;
}

#if HRSNN_PARTS
static int64_t hrsnn_signed64(uint64_t x)
{
    return x <= INT64_MAX ? (int64_t)x : -(int64_t)(UINT64_MAX - x) - 1;
}
#endif

/* x keep / 4096, rounded toward zero. */
static int32_t hrsnn_decayed(int32_t x, int32_t keep)
{
    return (int32_t)((int64_t)x * keep / 4096);
}

#if HRSNN_FLOORED || HRSNN_PARTS
/* x / 2^by, rounded down; a shift of a negative number is up to the compiler. */
static int64_t hrsnn_floored(int64_t x, int by)
{
    return x >= 0 ? x >> by : -1 - ((-1 - x) >> by);
}
#endif

#if HRSNN_BLOCKS
/* The weight in a byte of a block: two's complement, or a magnitude with the sign of the block. */
static int32_t hrsnn_weight(const hrsnn_block *block, uint8_t byte)
{
    if (block->sign == 0)
        return byte < 128 ? byte : (int32_t)byte - 256;
    return block->sign * (int32_t)byte;
}

/* What one source sends to its targets. */
static void hrsnn_spread(const hrsnn_block *block, uint32_t source, int32_t value)
{
    const hrsnn_offset *start = hrsnn_starts + block->starts + source;
    for (uint32_t k = start[0]; k < start[1]; ++k) {
        const int32_t weight = hrsnn_weight(block, hrsnn_weights[k]);
#if HRSNN_FLOORED
        if (block->down) {
            hrsnn_sums[hrsnn_rows[k]] += (uint32_t)weight * (uint32_t)value;
            continue;
        }
#endif
        hrsnn_arriving[block->row + hrsnn_rows[k]] += (uint32_t)weight * (uint32_t)value
                                                      << block->up;
    }
}

/* Adds what arrives in this step through one block; nothing is done where nothing was sent. */
static void hrsnn_arrive(const hrsnn_block *block)
{
    uint32_t n, slot;
    if (block->input) {
#if HRSNN_INPUT_PAST
        slot = (hrsnn_input_slot + HRSNN_INPUT_PAST - 1 - block->delay) % HRSNN_INPUT_PAST;
        n = hrsnn_n_given[slot];
#else
        return;
#endif
    } else {
        slot = (hrsnn_slot + HRSNN_PAST - 1 - block->delay) % HRSNN_PAST;
        n = hrsnn_n_sent[slot];
    }
    if (n == 0)
        return;
#if HRSNN_FLOORED
    if (block->down)
        memset(hrsnn_sums, 0, block->rows * sizeof hrsnn_sums[0]);
#endif
    for (uint32_t k = 0; k < n; ++k) {
        uint32_t source;
        int32_t value = 1;
#if HRSNN_INPUT_PAST
        if (block->input) {
            source = hrsnn_given[slot][k];
#if HRSNN_GRADED
            if (block->graded)
                value = hrsnn_payload[slot][k];
#endif
        } else
#endif
        {
            source = hrsnn_sent[slot][k];
#if HRSNN_SEVERAL
            if (block->graded)
                value = hrsnn_numbers[slot][k];
#endif
        }
        source -= block->first; /* below it wraps, and is beyond the last */
        if (source < block->sources)
            hrsnn_spread(block, source, value);
    }
#if HRSNN_FLOORED
    if (block->down) /* a sum that large payloads wrap is shifted as it is */
        for (uint32_t k = 0; k < block->rows; ++k)
            hrsnn_arriving[block->row + k] +=
                (uint32_t)hrsnn_floored(hrsnn_signed(hrsnn_sums[k] << block->up), block->down);
#endif
}
#endif

#if HRSNN_PARTS
/* Mantissas of the biases from what the channels hold, cut to 13 bits. */
static void hrsnn_write_biases(void)
{
    for (uint32_t i = 0; i < HRSNN_NEURONS; ++i) {
        uint64_t total = (uint64_t)(int64_t)HRSNN_BIAS_MANT(i);
        for (uint32_t p = 0; p < HRSNN_PARTS; ++p) {
            const hrsnn_part *part = hrsnn_parts + p;
            const uint32_t row = i - part->row;
            uint64_t sum = 0;
            if (row >= part->rows)
                continue;
            for (uint32_t k = hrsnn_part_starts[part->starts + row];
                 k < hrsnn_part_starts[part->starts + row + 1]; ++k)
                sum += (uint64_t)(int64_t)hrsnn_part_weights[k] *
                       (uint64_t)(int64_t)hrsnn_held[hrsnn_part_channels[k]];
            if (part->shift >= 0)
                total += sum << part->shift;
            else
                total += (uint64_t)hrsnn_floored(hrsnn_signed64(sum), -part->shift);
        }
        const int64_t whole = hrsnn_signed64(total);
        hrsnn_mantissa[i] = (int16_t)(whole < -4096 ? -4096 : whole > 4095 ? 4095 : whole);
    }
}
#endif

void hrsnn_reset(void)
{
    memset(hrsnn_u, 0, sizeof hrsnn_u);
    memset(hrsnn_v, 0, sizeof hrsnn_v);
    memset(hrsnn_n_sent, 0, sizeof hrsnn_n_sent);
    hrsnn_slot = hrsnn_last = 0;
#if HRSNN_WAITING
    memset(hrsnn_waiting, 0, sizeof hrsnn_waiting);
#endif
#if HRSNN_INPUT_PAST
    memset(hrsnn_n_given, 0, sizeof hrsnn_n_given);
    hrsnn_input_slot = 0;
#endif
#if HRSNN_PARTS
    memset(hrsnn_held, 0, sizeof hrsnn_held);
    for (uint32_t i = 0; i < HRSNN_NEURONS; ++i)
        hrsnn_mantissa[i] = HRSNN_BIAS_MANT(i);
#endif
}

int32_t hrsnn_unit(int32_t channel)
{
#if HRSNN_INPUTS
    if (channel >= 0 && channel < HRSNN_INPUTS)
        return HRSNN_UNIT(channel);
#endif
    (void)channel;
    return 0;
}

/* One neuron for one step; how many spikes it sends. */
static int32_t hrsnn_update(uint32_t i)
{
    const uint32_t sum = (uint32_t)hrsnn_decayed(hrsnn_u[i], HRSNN_KEEP_U(i));
    const int32_t d = hrsnn_signed(sum + (hrsnn_arriving[i] << 6));
    const int32_t wrapped = d > HRSNN_WRAP ? d - 2 * HRSNN_WRAP : d;
    /* Lava adds to the value before the first wrap; it is the same one here */
    const int32_t u = wrapped <= -HRSNN_WRAP ? d + 2 * HRSNN_WRAP : wrapped;
#if HRSNN_PARTS
    const int32_t bias = hrsnn_mantissa[i] * (int32_t)(1u << HRSNN_BIAS_EXP(i));
#else
    const int32_t bias = HRSNN_BIAS_MANT(i) * (int32_t)(1u << HRSNN_BIAS_EXP(i));
#endif
    const uint32_t kept = (uint32_t)hrsnn_decayed(hrsnn_v[i], HRSNN_KEEP_V(i));
    uint32_t total = kept + (uint32_t)u + (uint32_t)bias;
#if HRSNN_WAITING
    const int waiting = hrsnn_waiting[i] > 0;
    if (waiting)
        hrsnn_waiting[i]--;
    if (waiting && HRSNN_RESET(i) == HRSNN_SUBTRACT_NEXT)
        total -= (uint32_t)HRSNN_THRESHOLD(i);
#endif
    int32_t v = hrsnn_signed(total);
    v = v > HRSNN_WRAP - 1 ? HRSNN_WRAP - 1 : v < 1 - HRSNN_WRAP ? 1 - HRSNN_WRAP : v;
#if HRSNN_WAITING
    if (waiting && HRSNN_RESET(i) == HRSNN_ZERO)
        v = 0;
#endif
    int32_t spikes = v > HRSNN_THRESHOLD(i);
#if HRSNN_SEVERAL
    if (HRSNN_RESET(i) == HRSNN_SUBTRACT_ALL) {
        spikes = v > 0 ? v / HRSNN_THRESHOLD(i) : 0;
        v -= spikes * HRSNN_THRESHOLD(i);
    }
#endif
    if (spikes) {
#if HRSNN_WAITING
        hrsnn_waiting[i] = HRSNN_WAIT_STEPS(i);
#endif
        if (HRSNN_RESET(i) == HRSNN_ZERO)
            v = 0;
        else if (HRSNN_RESET(i) == HRSNN_SUBTRACT)
            v -= HRSNN_THRESHOLD(i);
    }
    hrsnn_u[i] = u;
    hrsnn_v[i] = v;
    return spikes;
}

int32_t hrsnn_step(const int32_t *channels, const int32_t *payloads, int32_t n_events)
{
    for (int32_t k = 0; k < n_events; ++k)
        if (channels[k] < 0 || channels[k] >= HRSNN_INPUTS || (k && channels[k] <= channels[k - 1]))
            return -1;
    memset(hrsnn_arriving, 0, sizeof hrsnn_arriving);
#if HRSNN_BLOCKS
    for (uint32_t k = 0; k < HRSNN_BLOCKS; ++k)
        hrsnn_arrive(hrsnn_blocks + k);
#endif
#if HRSNN_PARTS
    for (int32_t k = 0; k < n_events; ++k)
        hrsnn_held[channels[k]] = payloads ? payloads[k] : hrsnn_unit(channels[k]);
    if (n_events > 0)
        hrsnn_write_biases();
#endif
    uint32_t n_spikes = 0;
    for (uint32_t i = 0; i < HRSNN_NEURONS; ++i) {
        const int32_t number = hrsnn_update(i);
        if (number == 0)
            continue;
#if HRSNN_SEVERAL
        hrsnn_numbers[hrsnn_slot][n_spikes] = number;
#endif
        hrsnn_sent[hrsnn_slot][n_spikes++] = (hrsnn_index)i;
    }
    hrsnn_n_sent[hrsnn_slot] = n_spikes;
    hrsnn_last = hrsnn_slot;
    hrsnn_slot = (hrsnn_slot + 1) % HRSNN_PAST;
#if HRSNN_INPUT_PAST
    uint32_t n = 0;
    for (int32_t k = 0; k < n_events; ++k) {
        const int32_t payload = payloads ? payloads[k] : hrsnn_unit(channels[k]);
        if (payload == 0)
            continue; /* nothing is sent */
#if HRSNN_GRADED
        hrsnn_payload[hrsnn_input_slot][n] = payload;
#endif
        hrsnn_given[hrsnn_input_slot][n++] = (hrsnn_channel)channels[k];
    }
    hrsnn_n_given[hrsnn_input_slot] = n;
    hrsnn_input_slot = (hrsnn_input_slot + 1) % HRSNN_INPUT_PAST;
#else
    (void)payloads;
#endif
    return (int32_t)n_spikes;
}

int32_t hrsnn_spike(int32_t k)
{
    return k >= 0 && (uint32_t)k < hrsnn_n_sent[hrsnn_last] ? (int32_t)hrsnn_sent[hrsnn_last][k] : -1;
}

int32_t hrsnn_number(int32_t k)
{
    if (k < 0 || (uint32_t)k >= hrsnn_n_sent[hrsnn_last])
        return 0;
#if HRSNN_SEVERAL
    return hrsnn_numbers[hrsnn_last][k];
#else
    return 1;
#endif
}

int32_t hrsnn_potential(int32_t neuron)
{
    return neuron >= 0 && neuron < HRSNN_NEURONS ? hrsnn_v[neuron] : 0;
}

int32_t hrsnn_current(int32_t neuron)
{
    return neuron >= 0 && neuron < HRSNN_NEURONS ? hrsnn_u[neuron] : 0;
}

/* ---- a program for a desk: cc -std=c11 -DHRSNN_MAIN network.c ------------------------------- */

#ifdef HRSNN_MAIN
#include <stdio.h>
#include <stdlib.h>

/* Reads the next event, a line "step channel" or "step channel payload"; 0 at the end. */
static int next_event(long *step, int32_t *channel, int32_t *payload, int *graded)
{
    char line[128];
    long who = 0, value = 0;
    int found;
    if (!fgets(line, sizeof line, stdin))
        return 0;
    found = sscanf(line, "%ld %ld %ld", step, &who, &value);
    if (found < 2 || who < 0 || who > INT32_MAX || value < INT32_MIN || value > INT32_MAX) {
        fprintf(stderr, "not an event: %s", line);
        exit(3);
    }
    *channel = (int32_t)who;
    *payload = found == 3 ? (int32_t)value : hrsnn_unit((int32_t)who);
    *graded |= found == 3;
    return 1;
}

/* STEPS [states] < EVENTS: prints a line "s step neuron" a spike, with how many it is behind where
 * neurons may send several; with states "v" and "u" lines. */
int main(int argc, char **argv)
{
    static int32_t channels[HRSNN_INPUTS + 1], payloads[HRSNN_INPUTS + 1];
    char *rest = NULL;
    const long steps = argc > 1 ? strtol(argv[1], &rest, 10) : -1;
    if (steps < 0 || *rest != '\0' || rest == argv[1]) {
        fprintf(stderr, "usage: network STEPS [states] < EVENTS\n");
        return 2;
    }
    long at = 0;
    int32_t channel = 0, payload = 0;
    int graded = 0;
    int more = next_event(&at, &channel, &payload, &graded);
    hrsnn_reset();
    for (long step = 0; step < steps; ++step) {
        int32_t n = 0;
        if (more && at < step) {
            fprintf(stderr, "an event of step %ld behind one of a later step\n", at);
            return 3;
        }
        int values = graded;
        for (; more && at == step && n <= HRSNN_INPUTS; ++n) {
            channels[n] = channel;
            payloads[n] = payload;
            values = graded;
            more = next_event(&at, &channel, &payload, &graded);
        }
        const int32_t n_spikes = hrsnn_step(channels, values ? payloads : NULL, n);
        if (n_spikes < 0) {
            fprintf(stderr, "step %ld: channels that are not there, or do not rise\n", step);
            return 3;
        }
        for (int32_t k = 0; k < n_spikes; ++k)
#if HRSNN_SEVERAL
            printf("s %ld %ld %ld\n", step, (long)hrsnn_spike(k), (long)hrsnn_number(k));
#else
            printf("s %ld %ld\n", step, (long)hrsnn_spike(k));
#endif
        if (argc > 2)
            for (int state = 0; state < 2; ++state) {
                printf("%c %ld", "vu"[state], step);
                for (int32_t i = 0; i < HRSNN_NEURONS; ++i)
                    printf(" %ld", (long)(state ? hrsnn_current(i) : hrsnn_potential(i)));
                printf("\n");
            }
    }
    return 0;
}
#endif
