// A repository in memory for copies that the steward stores.
#pragma once

#include <memory>

#include "steward/copies.h"
#include "tests/support/small_repository.h"

namespace holdfast::test {

class SmallCopies : public steward::CopyRepository {
 public:
  explicit SmallCopies(std::unique_ptr<repo::Repository> repository) : repository_(std::move(repository)) {}
  /// For CopySettings::open; `small` must outlive what it opens.
  static std::function<Result<std::unique_ptr<CopyRepository>>()> in(const SmallRepository& small) {
    return [&small]() -> Result<std::unique_ptr<CopyRepository>> {
      return std::make_unique<SmallCopies>(TRY(small.open()));
    };
  }
  repo::Repository& repository() override { return *repository_; }
  Status confirm() override { return {}; }

 private:
  std::unique_ptr<repo::Repository> repository_;
};

}  // namespace holdfast::test
