// A board without a board: the top level of a design, simulated, with the far end of its serial line as a pseudo-terminal.
//
// Arguments: clock cycles per bit; clock cycles that the design may need for whatever it has been asked for.
// Prints the path of the pseudo-terminal and serves it until its standard input is closed, as it is when the parent process ends.
// While nothing is on the line and the design has had its time, no cycles are simulated.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 16;
constexpr int FRAME_BITS = 10;
constexpr int POLL_CYCLES = 400;  // between looks at the pseudo-terminal
constexpr size_t MOST_BYTES = 4096;

// A byte as it is sent: start bit, eight bits from the least significant on, stop bit.
class Sender {
  public:
    explicit Sender(int divisor) : divisor_(divisor) {}

    void put(uint8_t byte) { waiting_.push_back(byte); }
    bool is_idle() const { return waiting_.empty() && bits_left_ == 0; }
    size_t waiting() const { return waiting_.size(); }

    // The level of the line in the next cycle.
    bool step() {
        if (cycle_ == 0) {
            if (bits_left_ == 0 && !waiting_.empty()) {
                bits_ = 1u << (FRAME_BITS - 1) | waiting_.front() << 1;
                waiting_.pop_front();
                bits_left_ = FRAME_BITS;
            }
            level_ = bits_left_ == 0 || (bits_ & 1u);
            if (bits_left_ != 0) {
                bits_ >>= 1;
                --bits_left_;
                cycle_ = divisor_;
            }
        }
        if (cycle_ != 0) --cycle_;
        return level_;
    }

  private:
    int divisor_;
    int cycle_ = 0;
    int bits_left_ = 0;
    unsigned bits_ = 0;
    bool level_ = true;
    std::deque<uint8_t> waiting_;
};

// Samples each bit in its middle.
class Receiver {
  public:
    explicit Receiver(int divisor) : divisor_(divisor) {}

    bool is_idle() const { return bit_ < 0; }

    // Whether a byte is complete with this cycle's level.
    bool step(bool level, uint8_t& byte) {
        if (bit_ < 0) {
            if (level) return false;
            bit_ = 0;
            wait_ = divisor_ / 2;
        }
        if (wait_-- != 0) return false;
        wait_ = divisor_ - 1;
        if (bit_ == 0 && level) {
            bit_ = -1;
            return false;
        }
        if (bit_ == FRAME_BITS - 1) {
            bit_ = -1;
            byte = bits_;
            return level;
        }
        bits_ = bits_ >> 1 | (level ? 0x80 : 0);
        ++bit_;
        return false;
    }

  private:
    int divisor_;
    int bit_ = -1;
    int wait_ = 0;
    uint8_t bits_ = 0;
};

void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

// Both ends of a pseudo-terminal that changes no byte. The end for the host stays open here, so that hosts may come and go.
int open_terminal() {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) fail("error: no pseudo-terminal");
    const char* path = ptsname(master);
    const int slave = path ? open(path, O_RDWR | O_NOCTTY) : -1;
    termios settings;
    if (slave < 0 || tcgetattr(slave, &settings)) fail("error: no pseudo-terminal");
    cfmakeraw(&settings);
    if (tcsetattr(slave, TCSANOW, &settings)) fail("error: no pseudo-terminal");
    if (fcntl(master, F_SETFL, O_NONBLOCK)) fail("error: no pseudo-terminal");
    std::printf("%s\n", path);
    std::fflush(stdout);
    return master;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "error: usage: %s DIVISOR CYCLES\n", argv[0]);
        return 2;
    }
    const int divisor = std::atoi(argv[1]);
    const uint64_t patience = std::strtoull(argv[2], nullptr, 10);

    const auto context = new VerilatedContext;
    const auto top = new Vtop(context);
    Sender sender(divisor);
    Receiver receiver(divisor);
    std::deque<uint8_t> answers;
    uint64_t cycle = 0, busy_until = 0;

    top->rst = 1;
    top->rx = 1;
    const int terminal = open_terminal();
    for (;;) {
        // The line's bytes, and the end of the parent process.
        const bool asleep = cycle > busy_until && sender.is_idle() && receiver.is_idle();
        pollfd events[] = {{terminal, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        if (!answers.empty()) events[0].events |= POLLOUT;
        if (sender.waiting() >= MOST_BYTES) events[0].events &= ~POLLIN;
        poll(events, 2, asleep ? -1 : 0);
        uint8_t bytes[MOST_BYTES];
        if (events[1].revents && read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return 0;
        if (events[0].revents & POLLIN) {
            const ssize_t n_bytes = read(terminal, bytes, sizeof bytes);
            for (ssize_t k = 0; k < n_bytes; ++k) sender.put(bytes[k]);
        }
        if (events[0].revents & POLLOUT) {
            size_t n_bytes = 0;
            while (n_bytes < answers.size() && n_bytes < sizeof bytes) {
                bytes[n_bytes] = answers[n_bytes];
                ++n_bytes;
            }
            const ssize_t written = write(terminal, bytes, n_bytes);
            if (written > 0) answers.erase(answers.begin(), answers.begin() + written);
        }
        if (asleep && sender.is_idle()) continue;

        for (int k = 0; k < POLL_CYCLES; ++k, ++cycle) {
            if (cycle == RESET_CYCLES) top->rst = 0;
            if (cycle > RESET_CYCLES) top->rx = sender.step();
            top->clk = 0;
            top->eval();
            top->clk = 1;
            top->eval();
            uint8_t byte;
            if (receiver.step(top->tx, byte)) answers.push_back(byte);
            if (!receiver.is_idle() || !sender.is_idle()) busy_until = cycle + patience;
        }
    }
}
