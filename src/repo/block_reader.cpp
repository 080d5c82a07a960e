#include "repo/block_reader.h"

namespace holdfast::repo {

BlockReader::BlockReader(ByteSource& source, size_t blocks) {
  {
    MutexLock lock(pool_->mutex);
    for (size_t i = 0; i < blocks; ++i) pool_->free.push_back(std::make_unique<Block>());
  }
  thread_ = std::jthread([&source, pool = pool_] { run(source, pool); });
}

BlockReader::~BlockReader() {
  {
    MutexLock lock(pool_->mutex);
    pool_->closing = true;
  }
  pool_->changed.notify_all();
  thread_.join();
  // Blocks that nobody asked for know their pool, and the pool holds them: without this they would keep each other.
  std::vector<std::shared_ptr<Block>> unread;
  {
    MutexLock lock(pool_->mutex);
    unread.swap(pool_->ready);
  }
}

void BlockReader::run(ByteSource& source, const std::shared_ptr<Pool>& pool) {
  for (bool last = false; !last;) {
    std::unique_ptr<Block> block;
    {
      MutexLock lock(pool->mutex);
      lock.wait(pool->changed, [&]() REQUIRES(pool->mutex) { return pool->closing || !pool->free.empty(); });
      if (pool->closing) return;
      block = std::move(pool->free.back());
      pool->free.pop_back();
    }
    block->size = 0;
    std::optional<Error> error;
    while (block->size < Block::kSize && !last && !error) {
      auto got = source.read({block->begin() + block->size, Block::kSize - block->size});
      if (!got) {
        error = std::move(got).error();
      } else {
        block->size += *got;
        last = *got == 0;
      }
    }
    block->last = last;
    MutexLock lock(pool->mutex);
    if (error) {
      pool->error = std::move(error);
      last = true;
    } else {
      // The block finds its way back even when its last holder outlives the reader.
      pool->ready.push_back(std::shared_ptr<Block>(block.release(), [pool](Block* returned) {
        {
          MutexLock back(pool->mutex);
          pool->free.emplace_back(returned);
        }
        pool->changed.notify_all();
      }));
    }
    pool->changed.notify_all();
  }
}

Result<std::shared_ptr<Block>> BlockReader::next() {
  MutexLock lock(pool_->mutex);
  lock.wait(pool_->changed, [&]() REQUIRES(pool_->mutex) { return !pool_->ready.empty() || pool_->error; });
  if (pool_->ready.empty()) return std::unexpected(*pool_->error);
  auto block = std::move(pool_->ready.front());
  pool_->ready.erase(pool_->ready.begin());
  return block;
}

}  // namespace holdfast::repo
