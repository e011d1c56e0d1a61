"""GraphQL: what the REST API does not have, ends before its end, or gives one parent at a time. One query a stream.

Fields have the names that the REST API gives them, so that a delivery, or the rest of a long list, makes the same row.
"""

DISCUSSIONS = """
query ($owner: String!, $repo: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    discussions(first: $first, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        databaseId id number title body url locked closed stateReason isAnswered answerChosenAt upvoteCount
        authorAssociation createdAt updatedAt closedAt publishedAt
        author { login }
        category { name }
        comments { totalCount }
      }
    }
  }
}
"""

STARGAZERS = """
query ($owner: String!, $repo: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    stargazers(first: $first, after: $after, orderBy: {field: STARRED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      edges { starredAt node { databaseId login } }
    }
  }
}
"""

REVIEWS = """
query ($owner: String!, $repo: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    pullRequests(first: $first, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        fullDatabaseId number updatedAt
        reviews(first: 100, states: [APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED]) {
          pageInfo { hasNextPage }
          nodes {
            id: fullDatabaseId
            node_id: id
            user: author {
              login html_url: url type: __typename
              ... on User { id: databaseId name site_admin: isSiteAdmin }
              ... on Bot { id: databaseId }
              ... on Mannequin { id: databaseId }
              ... on Organization { id: databaseId name }
            }
            body state html_url: url submitted_at: submittedAt author_association: authorAssociation
            commit { oid }
          }
        }
      }
    }
  }
}
"""
